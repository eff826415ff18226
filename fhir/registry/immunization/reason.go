package immunization

import "slices"

// reasons is a set of reasons.
type reasons uint16

// everyReason lists the reasons that an evaluation finds, in the order in which they are
// told.
var everyReason = []Reason{
	BeforeBirth, Unknown, WrongSex, Inadvertent, TooOld, TooYoung, TooSoon, Conflict, WrongType, Unneeded,
}

// because returns the set of one reason of the list.
func because(r Reason) reasons {
	return 1 << slices.Index(everyReason, r)
}

// Sets of one reason, by name: they are asked for with every dose.
var (
	asInadvertent = because(Inadvertent)
	asTooOld      = because(TooOld)
	asTooYoung    = because(TooYoung)
	asTooSoon     = because(TooSoon)
	asConflict    = because(Conflict)
	asWrongType   = because(WrongType)
	asUnneeded    = because(Unneeded)
)

// appendTo appends the reasons to a list.
func (r reasons) appendTo(list []Reason) []Reason {
	for n := 0; r != 0; n, r = n+1, r>>1 {
		if r&1 != 0 {
			list = append(list, everyReason[n])
		}
	}
	return list
}
