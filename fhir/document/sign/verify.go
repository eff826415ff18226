package sign

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// Result says how a check came out.
type Result string

// The results. What is unknown is neither: nothing speaks against it, and nothing for it.
const (
	Passed  Result = "passed"
	Failed  Result = "failed"
	Unknown Result = "unknown"
)

// The checks, in the order in which they are made.
const (
	Form       = "form"       // it is a signature of the form that is read here
	Content    = "content"    // it is of this content, unchanged
	Key        = "key"        // the key is strong enough, and meant for signatures
	Chain      = "chain"      // an authority that is trusted issued the certificate
	Validity   = "validity"   // the certificate was valid when it was signed
	Revocation = "revocation" // and not taken back by then
	Person     = "identity"   // the certificate is that of whom the document names
	Authorship = "authorship" // who signs as author is one by the document; for who knows documents
	Purpose    = "purpose"    // the capacity and time are those that the document states
)

// Check is one check of a signature.
type Check struct {
	Name   string
	Result Result
	Reason string    // why, one of the keys of Words
	At     time.Time // of a revocation; zero when there is none
}

// Verdict is what is found of a signature.
type Verdict struct {
	Checks   []Check
	Signer   Identity  // whom the certificate names; zero when there is none that can be read
	SignedAt time.Time // as the signer says
	Purpose  string    // code of PurposeSystem
}

// Status is passed when all checks are, failed when one is, unknown otherwise.
func (v *Verdict) Status() Result {
	status := Passed
	for _, c := range v.Checks {
		switch c.Result {
		case Failed:
			return Failed
		case Unknown:
			status = Unknown
		}
	}
	return status
}

// Of returns the check called name.
func (v *Verdict) Of(name string) Check {
	i := slices.IndexFunc(v.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{Name: name, Result: Unknown, Reason: "not-reached"}
	}
	return v.Checks[i]
}

func (v *Verdict) add(name string, result Result, reason string) {
	v.Checks = append(v.Checks, Check{Name: name, Result: result, Reason: reason})
}

// Want is what a signature is held to.
type Want struct {
	// Person are the CURPs or RFCs of those whose signature it can be: one of them must be
	// in the certificate. nil leaves it unknown whose it should be.
	Person []string

	Purpose   string    // the capacity that the document states; "" for any
	When      time.Time // the time of signing that the document states; zero for any
	Witnessed time.Time // when somebody else is known to have had the signature; zero for never
	Now       time.Time // zero is the time of the clock
}

func (w *Want) now() time.Time {
	if w.Now.IsZero() {
		return time.Now()
	}
	return w.Now
}

// skew is how far the clocks of two machines may be apart.
const skew = 5 * time.Minute

// Verify checks a detached signature of payload, which is canonical (see Document).
func (t *Trust) Verify(ctx context.Context, jws string, payload []byte, want Want) *Verdict {
	v := &Verdict{}
	headerText, signature, err := split(jws)
	var h *header
	if err == nil {
		h, err = decodeHeader(headerText)
	}
	if err != nil {
		reason := "form"
		var form *errForm
		if errors.As(err, &form) {
			reason = form.reason
		}
		v.add(Form, Failed, reason)
		return v
	}
	v.add(Form, Passed, "form-good")
	v.Signer, v.SignedAt, v.Purpose = IdentityOf(h.Chain[0]), h.SignedAt, h.Purpose
	sum := sha256.Sum256(input(headerText, payload))
	if verify(h.Algorithm, h.Chain[0].PublicKey, sum[:], signature) == nil {
		v.add(Content, Passed, "unchanged")
	} else {
		v.add(Content, Failed, "changed")
	}
	t.certificate(ctx, h, v, &want)
	v.identity(&want)
	v.stated(h, &want)
	return v
}

// Accept checks whether something could be signed with a chain of certificates at a time:
// all that Verify checks but the signature itself.
func (t *Trust) Accept(ctx context.Context, chain []*x509.Certificate, at time.Time, want Want) *Verdict {
	v := &Verdict{Signer: IdentityOf(chain[0]), SignedAt: at}
	t.certificate(ctx, &header{Chain: chain, SignedAt: at}, v, &want)
	v.identity(&want)
	return v
}

// certificate checks the certificate of the signer.
func (t *Trust) certificate(ctx context.Context, h *header, v *Verdict, want *Want) {
	leaf := h.Chain[0]
	switch _, err := algorithmOf(leaf.PublicKey); {
	case err != nil:
		v.add(Key, Failed, "key-weak")
	case leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0:
		v.add(Key, Failed, "key-usage")
	default:
		v.add(Key, Passed, "key-good")
	}
	within := h.SignedAt // the chain is judged by itself: of a certificate that had expired, at its end
	if within.Before(leaf.NotBefore) {
		within = leaf.NotBefore
	} else if within.After(leaf.NotAfter) {
		within = leaf.NotAfter
	}
	var chain []*x509.Certificate
	switch {
	case t.Empty():
		v.add(Chain, Unknown, "nobody-trusted")
	default:
		if chain = t.chain(leaf, h.Chain[1:], within); chain == nil {
			v.add(Chain, Failed, "chain-unknown")
		} else {
			v.add(Chain, Passed, "chain-good")
		}
	}
	switch {
	case h.SignedAt.After(want.now().Add(skew)):
		v.add(Validity, Failed, "future")
	case h.SignedAt.Before(leaf.NotBefore):
		v.add(Validity, Failed, "not-yet-valid")
	case h.SignedAt.After(leaf.NotAfter):
		v.add(Validity, Failed, "expired")
	default:
		v.add(Validity, Passed, "valid-then")
	}
	if chain == nil {
		v.add(Revocation, Unknown, "revocation-unknown")
	} else {
		v.Checks = append(v.Checks, t.revocation(ctx, chain, h.SignedAt, want))
	}
}

// identity checks whose certificate it is.
func (v *Verdict) identity(want *Want) {
	switch {
	case len(want.Person) == 0:
		v.add(Person, Unknown, "nobody-named")
	case slices.ContainsFunc(want.Person, v.Signer.Has):
		v.add(Person, Passed, "same-person")
	default:
		v.add(Person, Failed, "another-person")
	}
}

// stated checks what the document says of the signature beside it.
func (v *Verdict) stated(h *header, want *Want) {
	switch {
	case want.Purpose != "" && want.Purpose != h.Purpose:
		v.add(Purpose, Failed, "another-purpose")
	case !want.When.IsZero() && !want.When.Truncate(time.Second).Equal(h.SignedAt):
		v.add(Purpose, Failed, "another-time")
	default:
		v.add(Purpose, Passed, "as-stated")
	}
}
