package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

var writeTests = map[string]func(*fixture){
	"create then read": func(f *fixture) {
		before := time.Now().Truncate(time.Millisecond)
		r := f.apply(create("Patient/a", "one", search.Index{}))[0]
		if r.Outcome != bundle.Created || r.Resource.Ref != ref("Patient/a/_history/1") || r.Resource.Method != fhir.POST {
			f.Errorf("result %+v", r)
		}
		if u := r.Resource.Updated; u.Before(before) || u.After(time.Now()) || u.Nanosecond()%1e6 != 0 || u.Location() != time.UTC {
			f.Errorf("updated is %v", u)
		}
		f.holds(&r.Resource, "one")
		f.is("Patient/a", 1, "one")
		f.is("Patient/a/_history/1", 1, "one")
		f.gone("Patient/b", fhir.NotFound)
		f.gone("Observation/a", fhir.NotFound)
		f.gone("Patient/a/_history/2", fhir.NotFound)
	},
	"ids that differ in case are two resources": func(f *fixture) {
		f.apply(create("Patient/a", "lower", search.Index{}), create("Patient/A", "upper", search.Index{}))
		f.is("Patient/a", 1, "lower")
		f.is("Patient/A", 1, "upper")
	},
	"content survives whatever it is": func(f *fixture) {
		for i, text := range []string{"", "ñandú 👩🏽‍⚕️ é", strings.Repeat("x", 3<<20), "1.10 1e3"} {
			at := fmt.Sprintf("Basic/%d", i)
			f.apply(create(at, text, search.Index{}))
			f.is(at, 1, text)
		}
	},
	"update makes versions": func(f *fixture) {
		if r := f.apply(update("Patient/a", "one", search.Index{}))[0]; r.Outcome != bundle.Created || r.Resource.Method != fhir.PUT {
			f.Errorf("update as create: %+v", r)
		}
		var last time.Time
		for i := 2; i < 6; i++ {
			r := f.apply(update("Patient/a", fmt.Sprint(i), search.Index{}))[0]
			if r.Outcome != bundle.Updated || r.Resource.Ref.Version != int64(i) {
				f.Errorf("update %d: %+v", i, r)
			}
			if !r.Resource.Updated.After(last) {
				f.Errorf("version %d was made at %v, the one before at %v", i, r.Resource.Updated, last)
			}
			last = r.Resource.Updated
		}
		f.is("Patient/a", 5, "5")
		f.is("Patient/a/_history/3", 3, "3")
	},
	"equal content is no new version": func(f *fixture) {
		f.apply(update("Patient/a", "one", search.Index{}))
		r := f.apply(update("Patient/a", "one", search.Index{}))[0]
		if r.Outcome != bundle.Unchanged || r.Resource.Ref.Version != 1 {
			f.Errorf("result %+v", r)
		}
		f.holds(&r.Resource, "one")
	},
	"delete and create again": func(f *fixture) {
		f.apply(update("Patient/a", "one", search.Index{}))
		r := f.apply(remove("Patient/a"))[0]
		if r.Outcome != bundle.Removed || r.Resource.Ref.Version != 2 || r.Resource.Method != fhir.DELETE || r.Resource.JSON != nil {
			f.Errorf("delete: %+v", r)
		}
		f.gone("Patient/a", fhir.Gone)
		f.gone("Patient/a/_history/2", fhir.Gone)
		f.is("Patient/a/_history/1", 1, "one")
		if r := f.apply(remove("Patient/a"))[0]; r.Outcome != bundle.Absent {
			f.Errorf("second delete: %+v", r)
		}
		if r := f.apply(update("Patient/a", "one", search.Index{}))[0]; r.Outcome != bundle.Created || r.Resource.Ref.Version != 3 {
			f.Errorf("create again: %+v", r)
		}
		f.is("Patient/a", 3, "one")
	},
	"delete of what never was": func(f *fixture) {
		if r := f.apply(remove("Patient/a"))[0]; r.Outcome != bundle.Absent || r.Resource.Ref != ref("Patient/a") {
			f.Errorf("delete: %+v", r)
		}
		f.gone("Patient/a", fhir.NotFound)
	},
	"create at an id in use": func(f *fixture) {
		f.apply(create("Patient/a", "one", search.Index{}))
		f.refuse(fhir.Conflict, 1, create("Patient/b", "two", search.Index{}), create("Patient/a", "two", search.Index{}))
		f.gone("Patient/b", fhir.NotFound)
		f.is("Patient/a", 1, "one")
	},
	"a version that must be current": func(f *fixture) {
		f.apply(update("Patient/a", "one", search.Index{}))
		stale, right := update("Patient/a", "two", search.Index{}), update("Patient/a", "two", search.Index{})
		stale.IfMatch, right.IfMatch = 7, 1
		f.refuse(fhir.Stale, 0, stale)
		f.apply(right)
		f.refuse(fhir.Stale, 0, right)
		absent := update("Patient/b", "x", search.Index{})
		absent.IfMatch = 1
		f.refuse(fhir.Stale, 0, absent)
		old := remove("Patient/a")
		old.IfMatch = 1
		f.refuse(fhir.Stale, 0, old)
		f.is("Patient/a", 2, "two")
	},
	"no version may be there": func(f *fixture) {
		c := update("Patient/a", "one", search.Index{})
		c.IfNoneMatch = true
		f.apply(c)
		f.refuse(fhir.Stale, 0, c)
		f.apply(remove("Patient/a"))
		if r := f.apply(c)[0]; r.Outcome != bundle.Created {
			f.Errorf("after a deletion: %+v", r)
		}
	},
	"patch sees the current version": func(f *fixture) {
		f.apply(update("Patient/a", "one", search.Index{}), update("Patient/b", "two", search.Index{}))
		f.apply(remove("Patient/b"))
		patch := func(at string) bundle.Change {
			return bundle.Change{Op: bundle.Patch, Ref: ref(at),
				Build: func(_ *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
					f.holds(current, "one")
					return &bundle.Content{Body: body(at, "patched")}, nil
				}}
		}
		if r := f.apply(patch("Patient/a"))[0]; r.Outcome != bundle.Updated || r.Resource.Method != fhir.PATCH {
			f.Errorf("patch: %+v", r)
		}
		f.is("Patient/a", 2, "patched")
		f.refuse(fhir.NotFound, 0, patch("Patient/none"))
		f.refuse(fhir.Gone, 0, patch("Patient/b"))
	},
	"all or nothing": func(f *fixture) {
		f.apply(update("Patient/a", "one", search.Index{}))
		broken := update("Patient/c", "x", search.Index{})
		broken.Build = func(*bundle.Env, fhir.Ref, *fhir.Resource) (*bundle.Content, error) {
			return nil, fhir.Errorf(fhir.Unprocessable, "broken")
		}
		f.refuse(fhir.Unprocessable, 3, update("Patient/a", "two", search.Index{}), create("Patient/b", "b", search.Index{}),
			remove("Patient/a2"), broken)
		stale := update("Patient/a", "three", search.Index{})
		stale.IfMatch = 9
		f.refuse(fhir.Stale, 1, create("Patient/b", "b", search.Index{}), stale)
		f.is("Patient/a", 1, "one")
		f.gone("Patient/b", fhir.NotFound)
	},
	"one resource changed twice": func(f *fixture) {
		f.refuse(fhir.Invalid, 1, update("Patient/a", "one", search.Index{}), update("Patient/a", "two", search.Index{}))
		f.gone("Patient/a", fhir.NotFound)
	},
	"unknown type": func(f *fixture) {
		f.refuse(fhir.UnknownType, 0, bundle.Change{Op: bundle.Update, Ref: fhir.Ref{Type: "Nothing", ID: "a"}, Build: fixed("x", search.Index{})})
		if _, err := f.s.Read(f.ctx, fhir.Ref{Type: "Nothing", ID: "a"}); fhir.CodeOf(err) != fhir.NotFound {
			f.Errorf("read: %v", err)
		}
	},
	"a large batch": func(f *fixture) {
		var changes []bundle.Change
		for i := range 3000 {
			changes = append(changes, create(fmt.Sprintf("Observation/%d", i), fmt.Sprint(i), search.Index{}))
		}
		f.apply(changes...)
		for i := range changes {
			changes[i].Op = bundle.Update
			changes[i].Build = fixed(fmt.Sprint("second ", i), search.Index{})
		}
		f.apply(changes...)
		for i := range changes {
			changes[i] = remove(fmt.Sprintf("Observation/%d", i))
		}
		f.apply(changes[:1500]...)
		f.gone("Observation/7", fhir.Gone)
		f.is("Observation/2999", 2, "second 2999")
	},
	"what is referred to before it exists": func(f *fixture) {
		toPatient := search.Index{Links: []search.Link{{Param: 1, Target: ref("Patient/later")}}}
		f.apply(create("Observation/1", "x", toPatient))
		f.gone("Patient/later", fhir.NotFound)
		f.refuse(fhir.NotFound, 0, bundle.Change{Op: bundle.Patch, Ref: ref("Patient/later"), Build: fixed("x", search.Index{})})
		if r := f.apply(remove("Patient/later"))[0]; r.Outcome != bundle.Absent {
			f.Errorf("delete of a placeholder: %+v", r)
		}
		if r := f.apply(update("Patient/later", "now", search.Index{}))[0]; r.Outcome != bundle.Created || r.Resource.Ref.Version != 1 {
			f.Errorf("update of a placeholder: %+v", r)
		}
		f.apply(create("Observation/2", "x", search.Index{Links: []search.Link{{Param: 1, Target: ref("Patient/other")}}}))
		if r := f.apply(create("Patient/other", "now", search.Index{}))[0]; r.Outcome != bundle.Created || r.Resource.Ref.Version != 1 {
			f.Errorf("create at a placeholder: %+v", r)
		}
	},
	"ready": func(f *fixture) {
		if err := f.s.Ready(f.ctx); err != nil {
			f.Error(err)
		}
	},
}
