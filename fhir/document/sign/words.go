package sign

import (
	"fmt"
	"time"
)

// words say what a reason means, to people: in Spanish and in English.
var words = map[string][2]string{
	"form-good":          {"La firma tiene la forma esperada.", "The signature has the form that is expected."},
	"form":               {"No es una firma JWS separada de su contenido.", "This is not a JWS signature detached from its content."},
	"header":             {"El encabezado de la firma no se puede leer.", "The header of the signature cannot be read."},
	"header-member":      {"El encabezado de la firma trae una llave u opción que no se admite.", "The header of the signature brings a key or option that is not taken."},
	"algorithm":          {"El algoritmo de la firma no se admite o no es el de la llave del certificado.", "The algorithm of the signature is not taken, or not that of the certificate's key."},
	"critical":           {"La firma exige algo que este programa no entiende.", "The signature demands something that this program does not understand."},
	"signing-time":       {"La firma no dice cuándo se hizo.", "The signature does not say when it was made."},
	"certificate":        {"El certificado que acompaña la firma falta o no se puede leer.", "The certificate that comes with the signature is missing or cannot be read."},
	"unchanged":          {"El documento no ha cambiado desde que se firmó.", "The document has not changed since it was signed."},
	"changed":            {"El documento no es el que se firmó: fue alterado, o la firma es de otro.", "The document is not the one that was signed: it was altered, or the signature is of another."},
	"unreadable":         {"El documento no se puede llevar a su forma canónica.", "The document cannot be brought into canonical form."},
	"key-good":           {"La llave es suficientemente fuerte y sirve para firmar.", "The key is strong enough and meant for signing."},
	"key-weak":           {"La llave del certificado es débil o de un tipo que no se admite.", "The key of the certificate is weak, or of a kind that is not taken."},
	"key-usage":          {"El certificado no es para firmar.", "The certificate is not for signing."},
	"chain-good":         {"El certificado fue emitido por una autoridad de confianza.", "The certificate was issued by an authority that is trusted."},
	"chain-unknown":      {"El certificado no fue emitido por una autoridad de confianza.", "The certificate was not issued by an authority that is trusted."},
	"nobody-trusted":     {"No hay autoridades de confianza configuradas, así que no se sabe quién emitió el certificado.", "No authorities are configured to be trusted, so who issued the certificate is not known."},
	"valid-then":         {"El certificado estaba vigente al firmar.", "The certificate was valid when it was signed."},
	"not-yet-valid":      {"El certificado aún no estaba vigente al firmar.", "The certificate was not valid yet when it was signed."},
	"expired":            {"El certificado ya había vencido al firmar.", "The certificate had expired when it was signed."},
	"future":             {"La firma dice haberse hecho en el futuro.", "The signature says that it was made in the future."},
	"not-revoked":        {"El certificado no estaba revocado al firmar.", "The certificate was not revoked when it was signed."},
	"revoked":            {"El certificado ya estaba revocado al firmar", "The certificate had been revoked when it was signed"},
	"revoked-later":      {"El certificado no estaba revocado al firmar; lo fue después", "The certificate was not revoked when it was signed; it was later"},
	"compromised":        {"La llave del certificado cayó en otras manos y nada prueba que se firmó antes", "The certificate's key came into other hands, and nothing proves that it was signed before"},
	"revocation-unknown": {"No se sabe si el certificado estaba revocado al firmar.", "Whether the certificate was revoked when it was signed is not known."},
	"same-person":        {"El certificado es de quien el documento dice que firma.", "The certificate is that of whom the document names as signer."},
	"another-person":     {"El certificado es de otra persona que la que el documento dice que firma.", "The certificate is that of another than the document names as signer."},
	"nobody-named":       {"El documento no trae la CURP de quien firma, con la cual comparar el certificado.", "The document has no CURP of the signer to compare the certificate with."},
	"as-stated":          {"La calidad en que se firma y la hora son las que dice el documento.", "The capacity and time are those that the document states."},
	"another-purpose":    {"Se firmó en otra calidad que la que dice el documento.", "It was signed in another capacity than the document states."},
	"another-time":       {"Se firmó a otra hora que la que dice el documento.", "It was signed at another time than the document states."},
	"is-author":          {"Quien firma es autor del documento.", "Who signs is an author of the document."},
	"not-author":         {"Quien firma como autor no está entre los autores del documento.", "Who signs as author is not among the authors of the document."},
	"not-reached":        {"No se llegó a esta revisión.", "This check was not reached."},
}

// Text says in words what c came to: in English when language is "en", else in Spanish.
func (c Check) Text(language string) string {
	of := words[c.Reason][0]
	if language == "en" {
		of = words[c.Reason][1]
	}
	if c.At.IsZero() {
		return of
	}
	return fmt.Sprintf("%s (%s).", of, c.At.UTC().Format(time.RFC3339))
}

// Text says in words what a verdict comes to.
func (v *Verdict) Text(language string) string {
	of := map[Result][2]string{
		Passed:  {"La firma es válida.", "The signature is valid."},
		Failed:  {"La firma NO es válida.", "The signature is NOT valid."},
		Unknown: {"No se puede asegurar que la firma sea válida.", "It cannot be ensured that the signature is valid."},
	}[v.Status()]
	if language == "en" {
		return of[1]
	}
	return of[0]
}
