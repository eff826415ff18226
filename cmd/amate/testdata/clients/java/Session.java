import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r4.model.*;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * A session of HAPI FHIR's client with a live server, and the judgement of HL7's
 * reference validator, as HAPI carries it, on what the server answers.
 */
public class Session {
    static final FhirContext R4 = FhirContext.forR4();
    static int checks;
    static boolean failed;

    static void check(String what, Object got, Object want) {
        checks++;
        if (!Objects.equals(got, want)) {
            failed = true;
            System.out.println(what + ": got " + got + ", want " + want);
        }
    }

    static void refused(String what, int status, Runnable call) {
        try {
            call.run();
            check(what, "an answer", status);
        } catch (BaseServerResponseException e) {
            check(what, e.getStatusCode(), status);
        }
    }

    public static void main(String[] args) throws Exception {
        String base = args[0];
        R4.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE); // reads /metadata first
        IGenericClient client = R4.newRestfulGenericClient(base);
        client(client);
        validator(base, client);
        System.out.println(checks + " checks");
        System.exit(failed ? 1 : 0);
    }

    static Patient patient() {
        Patient p = new Patient();
        p.addIdentifier().setSystem("http://example.org/clients").setValue("hapi");
        p.addName().setFamily("Ñúñez").addGiven("Ana").addGiven("María");
        p.setGender(Enumerations.AdministrativeGender.FEMALE).setBirthDateElement(new DateType("1990-05"));
        return p;
    }

    static void client(IGenericClient client) {
        MethodOutcome made = client.create().resource(patient()).execute();
        check("create", made.getCreated(), true);
        String id = made.getId().getIdPart();
        Patient p = client.read().resource(Patient.class).withId(id).execute();
        check("read", p.getNameFirstRep().getFamily() + p.getMeta().getVersionId(), "Ñúñez1");

        p.setActive(true);
        MethodOutcome second = client.update().resource(p).withAdditionalHeader("If-Match", "W/\"1\"").execute();
        check("update", second.getId().getVersionIdPart(), "2");
        refused("a stale update", 412,
            () -> client.update().resource(p).withAdditionalHeader("If-Match", "W/\"1\"").execute());

        Parameters patch = new Parameters();
        Parameters.ParametersParameterComponent op = patch.addParameter().setName("operation");
        op.addPart().setName("type").setValue(new CodeType("replace"));
        op.addPart().setName("path").setValue(new StringType("Patient.birthDate"));
        op.addPart().setName("value").setValue(new DateType("1990-05-17"));
        MethodOutcome third = client.patch().withFhirPatch(patch).withId("Patient/" + id).execute();
        check("FHIRPath Patch", ((Patient) third.getResource()).getBirthDateElement().getValueAsString(), "1990-05-17");
        MethodOutcome fourth = client.patch().withBody("[{\"op\":\"remove\",\"path\":\"/gender\"}]")
            .conditional(Patient.class).where(Patient.IDENTIFIER.exactly().systemAndIdentifier("http://example.org/clients", "hapi"))
            .execute();
        check("conditional JSON Patch", fourth.getId().getVersionIdPart(), "4");

        Bundle done = client.transaction().withBundle(observations()).execute();
        check("transaction", done.getEntry().size() + done.getEntryFirstRep().getResponse().getStatus(), "26200 OK");

        Set<String> seen = new HashSet<>();
        int pages = 0;
        Bundle page = client.search().forResource(Observation.class).where(Observation.SUBJECT.hasId("Patient/" + id))
            .count(10).returnBundle(Bundle.class).execute();
        while (page != null) {
            pages++;
            page.getEntry().forEach(e -> seen.add(e.getResource().getIdElement().getIdPart()));
            page = page.getLink(Bundle.LINK_NEXT) == null ? null : client.loadPage().next(page).execute();
        }
        check("paging", pages + " pages of " + seen.size(), "3 pages of 25");

        client.setEncoding(EncodingEnum.XML);
        p.setId("Patient/" + id);
        p.addName().setText("Anita");
        check("update in XML", client.update().resource(p).execute().getId().getVersionIdPart(), "5");
        op.getPart().get(1).setValue(new StringType("Patient.name[1]"));
        op.getPart().get(2).setValue(new HumanName().setText("Maruca"));
        third = client.patch().withFhirPatch(patch).withId("Patient/" + id).execute();
        check("FHIRPath Patch in XML", ((Patient) third.getResource()).getName().get(1).getText(), "Maruca");
        client.setEncoding(EncodingEnum.JSON);

        OperationOutcome found = (OperationOutcome) client.validate().resource(patient().setActive(true)).execute().getOperationOutcome();
        check("$validate of what is valid", found.getIssue().stream().filter(i -> i.getSeverity().ordinal() <= 2 && i.getSeverity() != OperationOutcome.IssueSeverity.WARNING).count(), 0L);

        Bundle history = client.history().onInstance(new IdType("Patient", id)).returnBundle(Bundle.class).execute();
        check("history", history.getEntry().size(), 6);
        Patient first = client.read().resource(Patient.class).withIdAndVersion(id, "1").execute();
        check("vread", first.getBirthDateElement().getValueAsString(), "1990-05");
    }

    static Bundle observations() {
        Bundle b = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        String subject = "urn:uuid:4f0c3d2e-8d7c-4f6c-9d55-0f6f3f0a2b12";
        b.addEntry().setFullUrl(subject).setResource(patient()).getRequest().setMethod(Bundle.HTTPVerb.POST)
            .setUrl("Patient").setIfNoneExist("identifier=http://example.org/clients|hapi");
        for (int i = 0; i < 25; i++) {
            Observation o = new Observation().setStatus(Observation.ObservationStatus.FINAL).setSubject(new Reference(subject));
            o.getCode().setText("reading");
            o.setValue(new Quantity().setValue(i).setUnit("kg"));
            b.addEntry().setResource(o).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Observation");
        }
        return b;
    }

    /**
     * Says what is wrong with the validator rather than with the answer:
     * within a Bundle in a Bundle, as the answer to a search in a batch is one, it knows the members of no link;
     * in a history, where a resource stands in several versions, it finds a reference to it ambiguous;
     * what has a URL of HL7's it takes for a draft of HL7's, which must name its committee.
     */
    static boolean mistaken(String what, SingleValidationMessage m) {
        return m.getLocationString().matches("Bundle\\.entry\\[\\d+]\\.resource\\.link\\[\\d+]")
                && m.getMessage().matches("Unrecognized property '(relation|url)'")
            || what.contains("/_history") && m.getMessage().startsWith("Multiple matches in bundle for reference")
            || m.getMessage().startsWith("When HL7 is publishing a resource");
    }

    /** Every kind of answer must pass the reference validator without an error. */
    static void validator(String base, IGenericClient client) throws Exception {
        FhirInstanceValidator module = new FhirInstanceValidator(new ValidationSupportChain(
            new DefaultProfileValidationSupport(R4),
            new CommonCodeSystemsTerminologyService(R4),
            new InMemoryTerminologyServerValidationSupport(R4)));
        module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
        FhirValidator validator = R4.newValidator().registerValidatorModule(module);
        HttpClient http = HttpClient.newHttpClient();
        String batch = "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":["
            + "{\"request\":{\"method\":\"GET\",\"url\":\"Patient?_count=1\"}},{\"request\":{\"method\":\"GET\",\"url\":\"Patient/nobody\"}}]}";
        for (String[] ask : new String[][] {
            {"GET", "/metadata"}, {"GET", "/Patient?_count=2&_total=accurate"}, {"GET", "/Observation?_include=Observation:subject&_count=3"},
            {"GET", "/Patient/_history"}, {"GET", "/_history?_count=5"}, {"GET", "/Patient/nobody"}, {"GET", "/Patient?shoesize=42"},
            {"GET", "/Patient?_summary=true"}, {"GET", "/Patient?_elements=name"}, {"GET", "/Patient?_summary=count"},
            {"GET", "/metadata?_format=xml"}, {"GET", "/Patient?_format=xml&_count=2"}, {"GET", "/Patient/nobody?_format=xml"},
            {"POST", "/$validate", "{\"resourceType\":\"Patient\",\"gender\":\"x\"}"},
            {"POST", "/$fhirpath", "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"expression\",\"valueString\":\"1 + 1\"},{\"name\":\"resource\",\"resource\":{\"resourceType\":\"Patient\",\"active\":true}}]}"},
            {"GET", "/CodeSystem/$lookup?system=http://hl7.org/fhir/administrative-gender&code=female"},
            {"GET", "/ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender"},
            {"GET", "/ValueSet/$validate-code?url=http://hl7.org/fhir/ValueSet/administrative-gender&system=http://hl7.org/fhir/administrative-gender&code=x"},
            {"POST", "/", batch}, {"POST", "/Patient", "{\"resourceType\":\"Patient\",\"gender\":\"x\"}"}, {"POST", "/Patient", "{"},
            {"DELETE", "/Observation?status=final"},
        }) {
            HttpRequest.Builder req = HttpRequest.newBuilder(URI.create(base + ask[1])).header("Content-Type", "application/fhir+json");
            req.method(ask[0], ask.length > 2 ? HttpRequest.BodyPublishers.ofString(ask[2]) : HttpRequest.BodyPublishers.noBody());
            String body = http.send(req.build(), HttpResponse.BodyHandlers.ofString()).body();
            String what = ask[0] + " " + ask[1];
            check(what + " has a body", body.startsWith("{") || body.startsWith("<"), true);
            long errors = validator.validateWithResult(body).getMessages().stream()
                .filter(m -> !mistaken(what, m))
                .filter(m -> m.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0)
                .peek(m -> System.out.println(what + ": " + m.getLocationString() + ": " + m.getMessage()))
                .count();
            check(what + " has validation errors", errors, 0L);
        }
    }
}
