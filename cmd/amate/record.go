package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	nom004 "github.com/amate-health/amate/fhir/registry/record"
)

// recordOperations draft the documents of the clinical record, and show documents to
// people. documents are the operations that make and verify them.
func (o *opened) recordOperations(documents []operation.Operation) []operation.Operation {
	documented, verified := operationOf(documents, "document"), operationOf(documents, "verify-signature")
	return nom004.Operations(nom004.Config{
		Store: o,
		Signed: func(json []byte) bool {
			_, signed := document.Signed(json)
			return signed
		},
		Document: func(ctx context.Context, call *operation.Call, composition fhir.Resource) ([]byte, error) {
			answer, err := documented(ctx, within(call, composition.Ref))
			if err != nil {
				return nil, err
			}
			return answer.JSON, nil
		},
		Seals: func(ctx context.Context, call *operation.Call, of fhir.Ref, bundle []byte) ([]nom004.Seal, error) {
			answer, err := verified(ctx, within(call, of))
			if err != nil {
				return nil, err
			}
			return seals(answer.JSON, bundle)
		},
	})
}

// operationOf returns how an operation is run.
func operationOf(all []operation.Operation, name string) func(context.Context, *operation.Call) (*operation.Answer, error) {
	i := slices.IndexFunc(all, func(op operation.Operation) bool { return op.Name == name })
	return all[i].Run
}

// within is a call of another operation, without parameters, as part of a call.
func within(call *operation.Call, on fhir.Ref) *operation.Call {
	inner := *call
	inner.Type, inner.ID, inner.In, inner.Media = on.Type, on.ID, operation.NewInputs(nil, nil), ""
	return &inner
}

// seals reads what $verify-signature answers about a document.
func seals(answer, bundle []byte) ([]nom004.Seal, error) {
	doc, err := element.Parse(answer)
	if err != nil {
		return nil, err
	}
	var all []nom004.Seal
	for _, v := range operation.NewInputs(nil, doc).All("signature") {
		said := func(name string) string {
			for _, part := range v.Parts(name) {
				return part.Text
			}
			return ""
		}
		s := nom004.Seal{Signer: said("name"), Serial: said("certificate")}
		s.Time, _ = time.Parse(time.RFC3339, said("when"))
		switch sign.Result(said("status")) {
		case sign.Passed:
			s.Verdict = nom004.Valid
		case sign.Unknown:
			s.Verdict, s.Reason = nom004.Doubtful, said("text")
		default:
			s.Reason = said("text")
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, nil
	}
	canonical, err := sign.Document(bundle)
	if err != nil {
		return all, nil // it has no canonical form, which the verdict says already
	}
	sum := sha256.Sum256(canonical)
	for i := range all {
		all[i].Digest = hex.EncodeToString(sum[:])
	}
	return all, nil
}
