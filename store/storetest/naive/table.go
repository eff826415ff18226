package naive

// paramTable says where the values of search parameters stand, written down from the
// tables of R4 (https://hl7.org/fhir/R4/searchparameter-registry.html).
const paramTable = `
*
  _tag       token meta.tag:Coding
  _security  token meta.security:Coding
  _profile   uri   meta.profile:canonical
  _source    uri   meta.source:uri
Patient
  active               token  active:boolean
  address              string address:Address
  address-city         string address.city:string
  address-country      string address.country:string
  address-postalcode   string address.postalCode:string
  address-state        string address.state:string
  address-use          token  address.use:code
  birthdate            date   birthDate:date
  death-date           date   deceasedDateTime:dateTime
  email                token  telecom[system=email]:ContactPoint
  phone                token  telecom[system=phone]:ContactPoint
  telecom              token  telecom:ContactPoint
  family               string name.family:name
  given                string name.given:name
  name                 string name:HumanName
  gender               token  gender:code
  identifier           token  identifier:Identifier
  language             token  communication.language:CodeableConcept
  general-practitioner reference generalPractitioner:Reference > Organization Practitioner PractitionerRole
  identifier   token     identifier:Identifier
  telecom      token     telecom:ContactPoint
  phone        token     telecom[system=phone]:ContactPoint
  email        token     telecom[system=email]:ContactPoint
  link                 reference link.other:Reference > Patient RelatedPerson
  organization         reference managingOrganization:Reference > Organization
RelatedPerson
  active             token  active:boolean
  gender             token  gender:code
  telecom            token  telecom:ContactPoint
  phone              token  telecom[system=phone]:ContactPoint
  email              token  telecom[system=email]:ContactPoint
  address            string address:Address
  address-city       string address.city:string
  address-country    string address.country:string
  address-postalcode string address.postalCode:string
  address-state      string address.state:string
  address-use        token  address.use:code
  name         string    name:HumanName
  identifier   token     identifier:Identifier
  birthdate    date      birthDate:date
  patient      reference patient:Reference > Patient
  relationship token     relationship:CodeableConcept
Practitioner
  active             token  active:boolean
  phone              token  telecom[system=phone]:ContactPoint
  email              token  telecom[system=email]:ContactPoint
  address            string address:Address
  address-country    string address.country:string
  address-postalcode string address.postalCode:string
  address-state      string address.state:string
  address-use        token  address.use:code
  name         string name:HumanName
  family       string name.family:name
  given        string name.given:name
  gender       token  gender:code
  identifier   token  identifier:Identifier
  telecom      token  telecom:ContactPoint
  address-city string address.city:string
PractitionerRole
  practitioner reference practitioner:Reference > Practitioner
  organization reference organization:Reference > Organization
  location     reference location:Reference > Location
  role         token     code:CodeableConcept
  specialty    token     specialty:CodeableConcept
  active       token     active:boolean
Organization
  active       token     active:boolean
  name         string    name:string alias:string
  identifier   token     identifier:Identifier
  type         token     type:CodeableConcept
  partof       reference partOf:Reference > Organization
  address-country    string address.country:string
  address-postalcode string address.postalCode:string
  address-state      string address.state:string
  address-use        token  address.use:code
  address      string    address:Address
  address-city string    address.city:string
Location
  name         string    name:string alias:string
  identifier   token     identifier:Identifier
  status       token     status:code
  type         token     type:CodeableConcept
  organization reference managingOrganization:Reference > Organization
  partof       reference partOf:Reference > Location
  address-country    string address.country:string
  address-postalcode string address.postalCode:string
  address-state      string address.state:string
  address-use        token  address.use:code
  address-city string    address.city:string
  address      string    address:Address
Encounter
  class            token     class:Coding
  date             date      period:Period
  diagnosis        reference diagnosis.condition:Reference > Condition Procedure
  identifier       token     identifier:Identifier
  length           quantity  length:Quantity
  location         reference location.location:Reference > Location
  participant      reference participant.individual:Reference > Practitioner PractitionerRole RelatedPerson
  participant-type token     participant.type:CodeableConcept
  part-of          reference partOf:Reference > Encounter
  patient          reference subject:Reference > Patient
  reason-code      token     reasonCode:CodeableConcept
  service-provider reference serviceProvider:Reference > Organization
  status           token     status:code
  subject          reference subject:Reference > Patient Group
  type             token     type:CodeableConcept
Observation
  category                     token     category:CodeableConcept
  code                         token     code:CodeableConcept
  combo-code                   token     code:CodeableConcept component.code:CodeableConcept
  component-code               token     component.code:CodeableConcept
  component-value-concept      token     component.valueCodeableConcept:CodeableConcept
  component-value-quantity     quantity  component.valueQuantity:Quantity component.valueSampledData:SampledData
  combo-value-quantity         quantity  valueQuantity:Quantity valueSampledData:SampledData component.valueQuantity:Quantity component.valueSampledData:SampledData
  combo-value-concept          token     valueCodeableConcept:CodeableConcept component.valueCodeableConcept:CodeableConcept
  data-absent-reason           token     dataAbsentReason:CodeableConcept
  date                         date      effectiveDateTime:dateTime effectivePeriod:Period effectiveTiming:Timing effectiveInstant:instant
  derived-from                 reference derivedFrom:Reference > DocumentReference ImagingStudy Media QuestionnaireResponse Observation MolecularSequence
  encounter                    reference encounter:Reference > Encounter
  has-member                   reference hasMember:Reference > Observation QuestionnaireResponse MolecularSequence
  identifier                   token     identifier:Identifier
  patient                      reference subject:Reference > Patient
  performer                    reference performer:Reference > Practitioner Organization CareTeam Patient PractitionerRole RelatedPerson
  status                       token     status:code
  subject                      reference subject:Reference > Group Device Patient Location
  value-concept                token     valueCodeableConcept:CodeableConcept
  value-date                   date      valueDateTime:dateTime valuePeriod:Period
  value-quantity               quantity  valueQuantity:Quantity valueSampledData:SampledData
  value-string                 string    valueString:string valueCodeableConcept.text:string
  code-value-quantity          composite . token=code:CodeableConcept quantity=valueQuantity:Quantity
  code-value-concept           composite . token=code:CodeableConcept token=valueCodeableConcept:CodeableConcept
  code-value-date              composite . token=code:CodeableConcept date=valueDateTime:dateTime+valuePeriod:Period
  code-value-string            composite . token=code:CodeableConcept string=valueString:string
  component-code-value-quantity composite component token=code:CodeableConcept quantity=valueQuantity:Quantity
  component-code-value-concept composite component token=code:CodeableConcept token=valueCodeableConcept:CodeableConcept
Condition
  abatement-date      date      abatementDateTime:dateTime abatementPeriod:Period
  asserter            reference asserter:Reference > Practitioner Patient PractitionerRole RelatedPerson
  body-site           token     bodySite:CodeableConcept
  category            token     category:CodeableConcept
  clinical-status     token     clinicalStatus:CodeableConcept
  code                token     code:CodeableConcept
  encounter           reference encounter:Reference > Encounter
  identifier          token     identifier:Identifier
  onset-age           quantity  onsetAge:Quantity onsetRange:Range
  onset-date          date      onsetDateTime:dateTime onsetPeriod:Period
  onset-info          string    onsetString:string
  patient             reference subject:Reference > Patient
  recorded-date       date      recordedDate:dateTime
  severity            token     severity:CodeableConcept
  subject             reference subject:Reference > Patient Group
  verification-status token     verificationStatus:CodeableConcept
Immunization
  date           date      occurrenceDateTime:dateTime
  identifier     token     identifier:Identifier
  location       reference location:Reference > Location
  lot-number     string    lotNumber:string
  patient        reference patient:Reference > Patient
  performer      reference performer.actor:Reference > Practitioner Organization PractitionerRole
  reaction-date  date      reaction.date:dateTime
  status         token     status:code
  target-disease token     protocolApplied.targetDisease:CodeableConcept
  vaccine-code   token     vaccineCode:CodeableConcept
MedicationRequest
  identifier token identifier:Identifier
  authoredon date      authoredOn:dateTime
  code       token     medicationCodeableConcept:CodeableConcept
  encounter  reference encounter:Reference > Encounter
  intent     token     intent:code
  patient    reference subject:Reference > Patient
  requester  reference requester:Reference > Practitioner Organization Patient PractitionerRole RelatedPerson Device
  status     token     status:code
  subject    reference subject:Reference > Patient Group
Procedure
  identifier token identifier:Identifier
  code      token     code:CodeableConcept
  date      date      performedDateTime:dateTime performedPeriod:Period
  encounter reference encounter:Reference > Encounter
  patient   reference subject:Reference > Patient
  performer reference performer.actor:Reference > Practitioner Organization Patient PractitionerRole RelatedPerson Device
  status    token     status:code
  subject   reference subject:Reference > Patient Group
  reason-reference reference reasonReference:Reference > Condition Observation Procedure DiagnosticReport DocumentReference
DiagnosticReport
  identifier token identifier:Identifier
  category  token     category:CodeableConcept
  code      token     code:CodeableConcept
  date      date      effectiveDateTime:dateTime effectivePeriod:Period
  encounter reference encounter:Reference > Encounter
  issued    date      issued:instant
  patient   reference subject:Reference > Patient
  performer reference performer:Reference > Practitioner Organization CareTeam PractitionerRole
  result    reference result:Reference > Observation
  status    token     status:code
  subject   reference subject:Reference > Group Device Patient Location
AllergyIntolerance
  identifier token identifier:Identifier
  category        token     category:code
  clinical-status token     clinicalStatus:CodeableConcept
  code            token     code:CodeableConcept reaction.substance:CodeableConcept
  criticality     token     criticality:code
  date            date      recordedDate:dateTime
  onset           date      reaction.onset:dateTime
  patient         reference patient:Reference > Patient
  severity        token     reaction.severity:code
  type            token     type:code
Appointment
  identifier token identifier:Identifier
  actor        reference participant.actor:Reference > Practitioner Device Patient HealthcareService PractitionerRole RelatedPerson Location
  date         date      start:instant
  part-status  token     participant.status:code
  patient      reference participant.actor:Reference > Patient
  practitioner reference participant.actor:Reference > Practitioner
  service-type token     serviceType:CodeableConcept
  status       token     status:code
RiskAssessment
  identifier token identifier:Identifier
  probability number    prediction.probabilityDecimal:decimal prediction.probabilityRange:Range
  date        date      occurrenceDateTime:dateTime
  patient     reference subject:Reference > Patient
  risk        token     prediction.qualitativeRisk:CodeableConcept
Claim
  identifier token identifier:Identifier
  created  date      created:dateTime
  patient  reference patient:Reference > Patient
  provider reference provider:Reference > Practitioner Organization PractitionerRole
  status   token     status:code
  use      token     use:code
List
  identifier token identifier:Identifier
  code    token     code:CodeableConcept
  item    reference entry.item:Reference
  patient reference subject:Reference > Patient
  status  token     status:code
  title   string    title:string
ValueSet
  identifier token identifier:Identifier
  url     uri    url:uri
  name    string name:string
  title   string title:string
  status  token  status:code
  version token  version:string
Group
  identifier token identifier:Identifier
  code token code:CodeableConcept
  actual token actual:boolean
  member reference member.entity:Reference > Practitioner Group Device Medication Patient Substance PractitionerRole
  type   token type:code
Device
  identifier token identifier:Identifier
  type token type:CodeableConcept
  status token status:code
  organization reference owner:Reference > Organization
  location reference location:Reference > Location
  patient reference patient:Reference > Patient
CarePlan
  identifier token identifier:Identifier
  date    date      period:Period
  patient reference subject:Reference > Patient
  status  token     status:code
Goal
  identifier token identifier:Identifier
  patient reference subject:Reference > Patient
ImagingStudy
  identifier token identifier:Identifier
  patient reference subject:Reference > Patient
  started date      started:dateTime
ExplanationOfBenefit
  identifier token identifier:Identifier
  created date      created:dateTime
  patient reference patient:Reference > Patient
`
