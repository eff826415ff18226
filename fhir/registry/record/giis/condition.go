package giis

// condition is the pattern of most rules of the guide: when it holds, a variable has one
// of some values; when it does not, it has the value that says that it does not apply.
type condition struct {
	of    int // the variable
	when  func(r *Row) bool
	codes string // what it has when the condition holds
	must  bool   // it has one of them then; else it may also not apply
	says  string // the condition in words
}

// conditions are the rules of that pattern, in the order of the variables.
var conditions = []condition{
	{vFasting, hasGlucose, "0 1", false, "a glucose measurement"},
	{vGlucoseBy, hasGlucose, "1 2", true, "a glucose measurement"},
	{vStrips, stripsCount, "1 2", false, "a woman of 9 to 59 years without gestational diabetes whose glucose was measured with a strip"},
	{39, (*Row).clinical, "0 1", false, "other personnel than psychologists"},
	{51, func(r *Row) bool { return r.is(vStaff, doctors+" 9") }, "1-3", false, "a physician or homeopath"},
	{vPregestational, func(r *Row) bool { return r.fertile() && r.at(vPregnancy) == "-1" && r.at(vPuerpera) == "-1" }, "0 1", false, "a woman of 9 to 59 years who is neither pregnant nor puerperal"},
	{vPregnancy, func(r *Row) bool { return r.fertile() && r.at(vPregestational) == "-1" && r.at(vPuerpera) == "-1" }, "0 1", false, "a woman of 9 to 59 years without pregestational care who is not puerperal"},
	{55, func(r *Row) bool { return r.at(vPregnancy) == "0" || r.at(vPregnancy) == "1" }, "1 2", false, "pregnancy"},
	{vTrimester, pregnant, "1-3", true, "pregnancy"},
	{57, pregnant, "0 1", false, "pregnancy"}, {58, pregnant, "0 1", false, "pregnancy"}, {59, pregnant, "0 1", false, "pregnancy"},
	{60, pregnant, "0 1", false, "pregnancy"}, {61, pregnant, "0 1", false, "pregnancy"}, {62, pregnant, "0 1", false, "pregnancy"},
	{63, pregnant, "0 1", false, "pregnancy"}, {64, pregnant, "0 1", false, "pregnancy"}, {65, pregnant, "0 1", false, "pregnancy"},
	{66, pregnant, "0 1", false, "pregnancy"}, {67, pregnant, "0 1", false, "pregnancy"},
	{vPuerpera, func(r *Row) bool { return r.fertile() && r.at(vPregestational) == "-1" && r.at(vPregnancy) == "-1" }, "0 1", false, "a woman of 9 to 59 years without pregestational care who is not pregnant"},
	{69, func(r *Row) bool { return r.at(vPuerpera) != "-1" }, "0 1", false, "puerperium"},
	{70, func(r *Row) bool { return r.is(vSex, "2 3") && r.clinical() }, "0 1", false, "a woman or intersex person, seen by others than psychologists"},
	{71, func(r *Row) bool { return r.at(vSex) == "2" && r.clinical() }, "0 1", false, "a woman, seen by others than psychologists"},
	{72, (*Row).clinical, "0 1", false, "other personnel than psychologists"},
	{73, (*Row).clinical, "0 1", false, "other personnel than psychologists"},
	{74, (*Row).clinical, "0 1", false, "other personnel than psychologists"},
	{75, func(r *Row) bool { return r.is(vSex, "2 3") && r.clinical() }, "0 1", false, "a woman or intersex person, seen by others than psychologists"},
	{76, func(r *Row) bool { return r.is(vSex, "2 3") && r.clinical() }, "0 1", false, "a woman or intersex person, seen by others than psychologists"},
	{vHealthyChild, func(r *Row) bool { return r.aged(0, 10) && r.clinical() }, "0 1", false, "a child under 10 years, seen by others than psychologists"},
	{vEDI, func(r *Row) bool { return r.aged(0, 6) && (r.at(vHealthyChild) != "-1" || !r.clinical()) }, "1 2", false, "a child under 6 years, in a visit of a healthy child or of a psychologist"},
	{79, func(r *Row) bool { return r.is(vEDI, "1 2") }, "1-6", true, "an EDI test"},
	{80, func(r *Row) bool { m, ok := r.months(); return ok && m >= 16 && m < 60 }, "1-3", false, "a child of 16 months to 4 years"},
	{vDiarrhoea, smallAndIll, "0 1", false, "an ill child under 5 years, seen by others than psychologists"},
	{vDiarrhoeaPlan, func(r *Row) bool { return r.at(vDiarrhoea) != "-1" }, "1-3", true, "acute diarrhoea"},
	{83, func(r *Row) bool { return r.at(vDiarrhoea) != "-1" && r.is(vDiarrhoeaPlan, "2 3") }, "0 1", true, "plan B or C of acute diarrhoea"},
	{84, func(r *Row) bool { return r.at(vDiarrhoea) != "-1" }, "0-9", true, "acute diarrhoea"},
	{vRespiratory, smallAndIll, "0 1", false, "an ill child under 5 years, seen by others than psychologists"},
	{86, func(r *Row) bool { return r.at(vRespiratory) != "-1" }, "1 2", true, "an acute respiratory infection"},
	{87, func(r *Row) bool { return r.at(vRespiratory) != "-1" }, "0 1", false, "an acute respiratory infection"},
	{88, func(r *Row) bool { return r.aged(0, 18) && r.clinical() }, "1 2", false, "somebody under 18 years, seen by others than psychologists"},
	{89, func(r *Row) bool { return r.aged(0, 10) && r.clinical() }, "0 1", true, "a child under 10 years, seen by others than psychologists"},
	{90, elder, "1 2", false, elderly}, {91, elder, "1 2", false, elderly}, {92, elder, "1 2", false, elderly}, {93, elder, "1 2", false, elderly},
	{94, elder, "1 2", false, elderly}, {95, elder, "1 2", false, elderly}, {96, elder, "1 2", false, elderly},
	{97, (*Row).clinical, "0-9", true, "other personnel than psychologists"},
	{vReferred, func(r *Row) bool { return r.at(vCounterReferred) == "0" }, "1-9", false, "somebody who was not referred back"},
	{vCounterReferred, func(r *Row) bool { return r.at(vReferred) == "-1" }, "0 1", true, "somebody who is not referred"},
	{vTelemedicine, func(r *Row) bool { return r.at(vTeleconsulta) == "0" }, "0 1", true, "a visit that was no teleconsulta"},
	{vTeleconsulta, func(r *Row) bool { return r.at(vTelemedicine) == "0" }, "0 1", true, "a visit without a consultation by telemedicine"},
}

const elderly = "somebody of 60 years or more, seen by physicians, nurses, psychologists or gerontologists"

func elder(r *Row) bool       { return r.aged(60, 200) && !r.is(vStaff, notForElders) }
func hasGlucose(r *Row) bool  { return r.at(vGlucose) != "0" }
func pregnant(r *Row) bool    { return r.at(vPregnancy) != "-1" }
func smallAndIll(r *Row) bool { return r.at(vHealthyChild) == "-1" && r.aged(0, 5) && r.clinical() }

func stripsCount(r *Row) bool {
	return r.fertile() && hasGlucose(r) && r.at(vGlucoseBy) == "2" && !gestational(r.at(vDisease1)) &&
		!gestational(r.at(vDisease2)) && !gestational(r.at(vDisease3))
}

// gestational reports the codes of diabetes in pregnancy.
func gestational(code string) bool {
	switch code {
	case "O240", "O241", "O242", "O243", "O244", "O249":
		return true
	}
	return false
}

// check returns what is wrong, or "".
func (c *condition) check(r *Row) string {
	value, none := r.at(c.of), table[c.of-1].unknown
	switch holds := c.when(r); {
	case holds && one(c.codes, value):
		return ""
	case holds && c.must:
		return "one of " + c.codes + " with " + c.says
	case value == none:
		return ""
	case holds:
		return "one of " + c.codes + " or " + none + " with " + c.says
	}
	return none + " without " + c.says
}
