// Package summary makes the International Patient Summary of a person from what is
// stored (Patient/$summary), and takes in summaries from elsewhere: it keeps them as
// documents, proposes what of them is new, and writes what a clinician accepts.
//
// # What belongs in a summary
//
// A summary is what somebody who has never met the patient must know. Nothing is in it
// that was entered in error, refuted, or is of another patient.
//
//   - Medications (10160-0): MedicationStatement active, intended, on-hold, unknown; MedicationRequest
//     active or on-hold that is an order and not "do not perform"; neither when its use
//     has ended by the dates that it gives. Each medication once, the newest record.
//   - Allergies (48765-2): those not inactive or resolved, the most critical first.
//   - Problems (11450-4): Conditions that are active, recurring or relapsed, or say
//     neither that nor an abatement; each code once, those of the problem list first.
//   - Past illness (11348-0): inactive, in remission, resolved; not what is a problem
//     again; the newest of each code, at most 30.
//   - Immunizations (11369-6): those given; the same vaccine on the same day once.
//   - Procedures (47519-4): done or under way; the newest of each code, at most 40.
//   - Devices (46264-8): DeviceUseStatement active or on-hold, and Devices of the patient that are
//     active and that no statement tells of: an implant must not be overlooked.
//   - Results (30954-2): Observations of laboratory, imaging or a procedure with a value, final,
//     amended, corrected or preliminary: the newest of each code whatever its age, since
//     the last known value with its date is better than none; at most 60. And reports
//     with a conclusion that are no notes, the newest of each code, at most 10.
//   - Vital signs (8716-3), social history (29762-2): the newest of each code.
//   - Pregnancy (10162-6): the status and the due date of the last 300 days, the newest
//     of each count of outcomes.
//   - Functional status (47420-5), plan of care (18776-5), advance directives (42348-3):
//     what is active.
//
// A record that says "no known allergies" stands only where no allergy is recorded. Where
// nothing is recorded, an entry says "no information", which is not the same; and where the
// caller may not see records of that kind, it says that they are masked. The seven
// required and recommended sections are always there.
//
// See http://hl7.org/fhir/uv/ips and http://hl7.org/fhir/uv/ips/OperationDefinition/summary.
package summary
