package fhirpath

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// See https://hl7.org/fhirpath/N1/#string-manipulation. Positions count characters.
var stringFunctions = map[string]function{
	"indexOf": onText(1, 1, func(_ *run, s string, a []arg) (Collection, error) {
		n := strings.Index(s, a[0].text)
		if n >= 0 {
			n = utf8.RuneCountInString(s[:n])
		}
		return values(Integer(n)), nil
	}),
	"substring": {min: 1, max: 2, eval: substring},
	"startsWith": onText(1, 1, func(_ *run, s string, a []arg) (Collection, error) {
		return truths(strings.HasPrefix(s, a[0].text)), nil
	}),
	"endsWith": onText(1, 1, func(_ *run, s string, a []arg) (Collection, error) {
		return truths(strings.HasSuffix(s, a[0].text)), nil
	}),
	"contains": onText(1, 1, func(_ *run, s string, a []arg) (Collection, error) {
		return truths(strings.Contains(s, a[0].text)), nil
	}),
	"upper": onText(0, 0, func(r *run, s string, _ []arg) (Collection, error) { return join(r, strings.ToUpper(s)) }),
	"lower": onText(0, 0, func(r *run, s string, _ []arg) (Collection, error) { return join(r, strings.ToLower(s)) }),
	"trim":  onText(0, 0, func(r *run, s string, _ []arg) (Collection, error) { return join(r, strings.TrimSpace(s)) }),
	"length": onText(0, 0, func(_ *run, s string, _ []arg) (Collection, error) {
		return values(Integer(utf8.RuneCountInString(s))), nil
	}),
	"replace": onText(2, 2, replace),
	"matches": onText(1, 2, func(r *run, s string, a []arg) (Collection, error) {
		return matching(r, s, a[0].text, a[1:])
	}),
	"matchesFull": onText(1, 2, func(r *run, s string, a []arg) (Collection, error) {
		return matching(r, s, `\A(?:`+a[0].text+`)\z`, a[1:])
	}),
	"lastIndexOf": onText(1, 1, func(_ *run, s string, a []arg) (Collection, error) {
		n := strings.LastIndex(s, a[0].text)
		if n >= 0 {
			n = utf8.RuneCountInString(s[:n])
		}
		return values(Integer(n)), nil
	}),
	"replaceMatches": onText(2, 2, replaceMatches),
	"toChars": onText(0, 0, func(r *run, s string, _ []arg) (Collection, error) {
		var out Collection
		for _, c := range s {
			out = append(out, Computed(String(string(c))))
		}
		return out, r.step(len(out))
	}),
	"split": onText(1, 1, func(r *run, s string, a []arg) (Collection, error) {
		var out Collection
		for _, part := range strings.Split(s, a[0].text) {
			out = append(out, Computed(String(part)))
		}
		return out, r.step(len(out))
	}),
	"join": {max: 1, eval: joinTexts},
}

// arg is an evaluated argument of a string function.
type arg struct{ text string }

// onText makes a function of a text and textual arguments. Where the input or an
// argument is empty, so is the result.
func onText(least, most int, f func(r *run, s string, a []arg) (Collection, error)) function {
	return function{min: least, max: most, eval: func(r *run, s scope, in Collection, args []node) (Collection, error) {
		input, ok, err := text(in)
		if !ok {
			return nil, err
		}
		given := make([]arg, len(args))
		for i := range args {
			c, err := args[i].eval(r, s)
			if err != nil {
				return nil, err
			}
			t, ok, err := text(c)
			if !ok {
				return nil, err
			}
			given[i].text = t
		}
		if err := r.step(1 + len(input)/64); err != nil {
			return nil, err
		}
		return f(r, input, given)
	}}
}

func substring(r *run, s scope, in Collection, args []node) (Collection, error) {
	input, ok, err := text(in)
	if !ok {
		return nil, err
	}
	c, err := args[0].eval(r, s)
	if err != nil {
		return nil, err
	}
	start, ok, err := integer(c)
	if !ok {
		return nil, err
	}
	runes := []rune(input)
	if err := r.step(1 + len(runes)/64); err != nil {
		return nil, err
	}
	if start < 0 || start >= int64(len(runes)) {
		return nil, nil
	}
	length := int64(len(runes))
	if len(args) == 2 {
		if c, err = args[1].eval(r, s); err != nil {
			return nil, err
		}
		if n, ok, err := integer(c); err != nil {
			return nil, err
		} else if ok {
			length = max(0, n)
		}
	}
	return texts(string(runes[start : start+min(length, int64(len(runes))-start)])), nil
}

func replace(r *run, s string, a []arg) (Collection, error) {
	n := strings.Count(s, a[0].text)
	if n*len(a[1].text)+len(s) > maxString {
		return nil, ErrTooCostly
	}
	return join(r, strings.ReplaceAll(s, a[0].text, a[1].text))
}

// pattern compiles a regular expression. Go's run in time linear in the text, and
// the size of the expression is bounded as well. A point matches line ends too; flags
// are of i (letters of either case) and m (^ and $ match at lines).
func pattern(r *run, s, expr, flags string) (*regexp.Regexp, error) {
	if strings.Trim(flags, "im") != "" {
		return nil, &Failure{Rule: "the flags of a regular expression are i and m", Value: flags}
	}
	if len(expr) > 1000 {
		return nil, ErrTooCostly
	}
	if err := r.step(50 + len(expr) + len(s)*(1+len(expr))/64); err != nil {
		return nil, err
	}
	re, err := regexp.Compile("(?s" + flags + ":" + expr + ")")
	if err != nil {
		return nil, &Failure{Rule: "this is no regular expression that is understood here", Value: expr}
	}
	return re, nil
}

// matching reports whether part of s matches.
func matching(r *run, s, expr string, more []arg) (Collection, error) {
	flags := ""
	if len(more) > 0 {
		flags = more[0].text
	}
	re, err := pattern(r, s, expr, flags)
	if err != nil {
		return nil, err
	}
	return truths(re.MatchString(s)), nil
}

func replaceMatches(r *run, s string, a []arg) (Collection, error) {
	if a[0].text == "" {
		return texts(s), nil
	}
	re, err := pattern(r, s, a[0].text, "")
	if err != nil {
		return nil, err
	}
	// Each match can bring the whole replacement, and it the whole match several times.
	if matches := len(re.FindAllStringIndex(s, -1)); matches*len(a[1].text) > maxString || strings.Count(a[1].text, "$")*len(s) > maxString {
		return nil, ErrTooCostly
	}
	return join(r, re.ReplaceAllString(s, groupReference.ReplaceAllString(a[1].text, "$${$1}")))
}

// groupReference is $1 in a replacement; Go would read $1a as a group called 1a.
var groupReference = regexp.MustCompile(`\$(\d+)`)

func joinTexts(r *run, s scope, in Collection, args []node) (Collection, error) {
	c, err := optional(r, s, args, 0)
	if err != nil {
		return nil, err
	}
	separator, _, err := text(c)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	var parts []string
	for i := range in {
		t, ok, err := text(in[i : i+1])
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(parts) > 0 {
			parts = append(parts, separator)
		}
		parts = append(parts, t)
	}
	return join(r, parts...)
}
