package main

import "testing"

// TestLife is the life of one patient's record: from the first visit until nothing is left
// of it, as those see it who write it, send to it, ask for it, and watch over it.
func TestLife(t *testing.T) {
	t.Parallel()
	eachRightsEngine(t, func(t *testing.T, where []string, contents func() string) {
		l := newLife(t, where, contents)

		l.step("a clinic registers the patient", l.registered)
		l.step("the first visit", l.firstVisit)
		l.step("the history is drafted, completed, signed and verified", l.historySigned)
		l.step("what is signed cannot be altered", l.unalterable)
		l.step("but added to", l.addendum)
		l.step("the laboratory sends a result, the same again, and a correction", l.laboratory)
		l.step("the visit is closed by a note", l.evolution)
		l.step("the patient is referred, and the hospital answers", l.referred)
		l.step("the hospital provides a scanned document", l.scanned)
		l.step("a stay ends with a discharge on paper", l.discharged)
		l.step("an app gets the summary that the patient permits", l.summarised)
		l.step("the copy of the clinic is whole", l.copiedWhole)
		l.step("the visit is counted", l.counted)
		l.step("the patient reads the record, and who looked at it", l.lookedAt)

		l.step("the patient gets all that is kept", l.accessGiven)
		l.step("what is wrong is rectified", l.rectified)
		l.step("the record is cancelled, and blocked at once", l.cancelled)
		l.step("a legal hold keeps it", l.held)
		l.step("when its time is over it is removed for good", l.purged)
		l.step("the audit trail tells all of it", l.told)
	})
}
