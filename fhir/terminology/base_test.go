package terminology

import (
	"path"
	"slices"
	"testing"
)

// missing are the code systems and value sets, not part of R4's package, that some
// value set of R4 needs: those cannot be expanded until somebody loads them.
var missing = map[string]bool{
	"of the code system http://hl7.org/fhir/CodeSystem/task-code, version 3.6.0 is not known here, only 4.0.1": true,
	"the code system http://cancer.sanger.ac.uk/cancergenome/projects/cosmic is not known here":                true,
	"the code system http://hl7.org/fhir/sid/cvx is not known here":                                            true,
	"the code system http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem is not known here":                 true,
	"the code system http://loinc.org is not known here":                                                       true,
	"the code system http://nucc.org/provider-taxonomy is not known here":                                      true,
	"the code system http://unstats.un.org/unsd/methods/m49/m49.htm is not known here":                         true,
	"the code system http://varnomen.hgvs.org/ is not known here":                                              true,
	"the code system http://www.ama-assn.org/go/cpt is not known here":                                         true,
	"the code system http://www.ebi.ac.uk/ipd/imgt/hla is not known here":                                      true,
	"the code system http://www.ensembl.org is not known here":                                                 true,
	"the code system http://www.genenames.org is not known here":                                               true,
	"the code system http://www.ncbi.nlm.nih.gov/clinvar is not known here":                                    true,
	"the code system http://www.ncbi.nlm.nih.gov/nuccore is not known here":                                    true,
	"the code system http://www.ncbi.nlm.nih.gov/projects/SNP is not known here":                               true,
	"the code system http://www.nlm.nih.gov/research/umls/rxnorm is not known here":                            true,
	"the code system http://www.sequenceontology.org is not known here":                                        true,
	"the code system https://precision.fda.gov/apps/ is not known here":                                        true,
	"the code system https://precision.fda.gov/files/ is not known here":                                       true,
	"the code system https://precision.fda.gov/jobs/ is not known here":                                        true,
	"the code system https://www.iana.org/time-zones is not known here":                                        true,
	"the code system urn:iso:std:iso:11073:10101 is not known here":                                            true,
	"the code system urn:iso:std:iso:3166:-2 is not known here":                                                true,
	"the code system urn:oid:1.2.36.1.2001.1005.17 is not known here":                                          true,
	"the codes of the code system http://snomed.info/sct are not here (content: not-present)":                  true,
	"the value set http://hl7.org/fhir/ValueSet/dicom-cid29 is not known here":                                 true,
	"the value set http://hl7.org/fhir/ValueSet/usps-state is not known here":                                  true,
}

// TestBaseExpands: every value set of R4 is worked out, and either all its codes can
// be listed, or the reason is one of those known.
func TestBaseExpands(t *testing.T) {
	v := New().View()
	listed, codes := 0, 0
	var endless, empty []string
	seen := map[string]bool{}
	for url := range v.Base(ValueSetKind) {
		of, err := v.ValueSet(url, "")
		if err != nil {
			t.Fatal(err)
		}
		s := v.Expansion(of)
		switch err := s.Listable(); {
		case len(s.Problems) > 0:
			for _, problem := range s.Problems {
				if !missing[problem] {
					t.Errorf("%s: %s", url, problem)
				}
				seen[problem] = true
			}
			continue
		case err != nil:
			endless = append(endless, path.Base(url))
			continue
		}
		listed++
		n := 0
		s.all(func(*part, int32) bool { n++; return true })
		codes += n
		if n == 0 {
			empty = append(empty, path.Base(url))
		}
	}
	for problem := range missing {
		if !seen[problem] {
			t.Errorf("no longer a problem: %s", problem)
		}
	}
	if want := []string{"all-distance-units", "all-languages", "all-time-units", "mimetypes", "ucum-units"}; !slices.Equal(endless, want) {
		t.Errorf("endless: %q", endless)
	}
	// The systems of the last two have no codes in R4; no code has the property that the first asks for.
	if want := []string{"example-filter", "message-events", "v3-policyHolderRole"}; !slices.Equal(empty, want) {
		t.Errorf("empty: %q", empty)
	}
	if listed < 1227 || codes < 34635 {
		t.Errorf("%d value sets with %d codes are listed", listed, codes)
	}
}
