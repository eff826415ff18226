package sign

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// evidence is what an authority says of one of its certificates.
type evidence struct {
	revoked bool
	since   time.Time // of the revocation
	leaked  bool      // because the key came into other hands, perhaps before that
	made    time.Time
	until   time.Time // when the authority was to say so anew
}

// without is how long something counts that does not say until when it does.
const without = 7 * 24 * time.Hour

// keyCompromise and caCompromise are reasons of a revocation.
//
// See https://www.rfc-editor.org/rfc/rfc5280#section-5.3.1.
const (
	keyCompromise = 1
	caCompromise  = 2
)

// isResponse reports whether der is an OCSP response, whoever it is of.
func isResponse(der []byte) bool {
	_, err := ocsp.ParseResponse(der, nil)
	return err == nil
}

// evidence returns all that is known of a certificate of issuer, as of now.
func (t *Trust) evidence(ctx context.Context, c, issuer *x509.Certificate, now time.Time) []evidence {
	var all []evidence
	for _, list := range t.lists {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) || list.CheckSignatureFrom(issuer) != nil || list.ThisUpdate.After(now.Add(skew)) {
			continue
		}
		e := evidence{made: list.ThisUpdate, until: list.NextUpdate}
		for i := range list.RevokedCertificateEntries {
			if r := &list.RevokedCertificateEntries[i]; r.SerialNumber.Cmp(c.SerialNumber) == 0 {
				e.revoked, e.since, e.leaked = true, r.RevocationTime, r.ReasonCode == keyCompromise || r.ReasonCode == caCompromise
			}
		}
		all = append(all, e)
	}
	responses := t.responses
	if t.Ask != nil {
		if der, err := t.Ask(ctx, c, issuer); err == nil {
			responses = append(slices.Clip(responses), der)
		}
	}
	for _, der := range responses {
		if e, ok := answered(der, c, issuer, now); ok {
			all = append(all, e)
		}
	}
	return all
}

// answered reads an OCSP response about c, and reports whether it says anything.
//
// See https://www.rfc-editor.org/rfc/rfc6960#section-3.2.
func answered(der []byte, c, issuer *x509.Certificate, now time.Time) (evidence, bool) {
	r, err := ocsp.ParseResponseForCert(der, c, issuer)
	if err != nil || r.Status != ocsp.Good && r.Status != ocsp.Revoked || r.ThisUpdate.After(now.Add(skew)) {
		return evidence{}, false
	}
	if by := r.Certificate; by != nil && !by.Equal(issuer) {
		// The signature is checked; that the authority lets this key answer, not yet.
		if !slices.Contains(by.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) || now.After(by.NotAfter) {
			return evidence{}, false
		}
	}
	e := evidence{made: r.ThisUpdate, until: r.NextUpdate}
	if r.Status == ocsp.Revoked {
		e.revoked, e.since = true, r.RevokedAt
		e.leaked = r.RevocationReason == keyCompromise || r.RevocationReason == caCompromise
	}
	return e, true
}

// revocation checks whether a certificate of the chain was taken back when it was signed.
// A certificate that was taken back later leaves the signature good, unless its key came
// into other hands: then only what somebody else has witnessed before counts.
func (t *Trust) revocation(ctx context.Context, chain []*x509.Certificate, at time.Time, want *Want) Check {
	check := Check{Name: Revocation, Result: Passed, Reason: "not-revoked"}
	for i, c := range chain[:len(chain)-1] {
		all := t.evidence(ctx, c, chain[i+1], want.now())
		covered := false
		for _, e := range all {
			until := e.until
			if until.IsZero() {
				until = e.made.Add(without)
			}
			covered = covered || !until.Before(at)
			switch {
			case !e.revoked:
			case !e.since.After(at):
				return Check{Name: Revocation, Result: Failed, Reason: "revoked", At: e.since}
			case e.leaked && (want.Witnessed.IsZero() || !want.Witnessed.Before(e.since)):
				return Check{Name: Revocation, Result: Failed, Reason: "compromised", At: e.since}
			case check.Result == Passed:
				check.Reason, check.At = "revoked-later", e.since
			}
		}
		if !covered && check.Result == Passed {
			check = Check{Name: Revocation, Result: Unknown, Reason: "revocation-unknown"}
		}
	}
	return check
}
