package portal

// The pages beside those of the states.
const (
	pageWelcome = "welcome"
	pageUnknown = "unknown"
	pageLimited = "limited"
	pageFailed  = "failed"
	pageMethod  = "method"
)

// texts are what the pages say.
var texts = map[string]Text{
	"title":     {"Verificación de documentos de salud", "Verification of health documents"},
	"skip":      {"Ir al contenido", "Skip to the content"},
	"languages": {"Idioma", "Language"},
	"document":  {"Documento", "Document"},
	"checked":   {"Consultado el", "Checked on"},
	"compare":   {"Compare con el papel", "Compare with the paper"},

	"compare.1": {"Cada dato de arriba debe ser igual al que está impreso.", "Each of the data above must be the same as what is printed."},
	"compare.2": {"Si alguno es distinto, el papel fue alterado o el código no es suyo: no lo acepte.", "If one of them differs, the paper was altered or the code is not its own: do not accept it."},
	"compare.3": {"Compruebe también que la dirección de esta página es la de la autoridad de salud.", "Check too that the address of this page is that of the health authority."},
	"why":       {"Para proteger a las personas, aquí no se muestran nombres ni domicilios completos.", "To protect people, no full names or addresses are shown here."},

	string(Valid):               {"Documento válido", "The document is valid"},
	string(Valid) + ".lead":     {"Fue emitido y sigue vigente.", "It was issued, and still counts."},
	string(Void):                {"Documento cancelado", "The document is void"},
	string(Void) + ".lead":      {"Fue emitido y después cancelado. No tiene validez.", "It was issued and withdrawn afterwards. It does not count."},
	string(Replaced):            {"Documento reemplazado", "The document was replaced"},
	string(Replaced) + ".lead":  {"Se emitió otro en su lugar. Este ya no tiene validez; pida el nuevo a quien lo presenta.", "Another one was issued in its place. This one does not count any more; ask its holder for the new one."},
	string(Dispensed):           {"Receta surtida", "The prescription was dispensed"},
	string(Dispensed) + ".lead": {"Fue auténtica y ya se surtió completa. No debe surtirse otra vez.", "It was authentic, and has been dispensed in full. It must not be dispensed again."},
	string(Lapsed):              {"Documento vencido", "The document has lapsed"},
	string(Lapsed) + ".lead":    {"Fue auténtico y su vigencia terminó.", "It was authentic, and its days are over."},
	pageUnknown:                 {"No existe este documento", "There is no such document"},
	pageUnknown + ".lead":       {"El código no corresponde a ningún documento emitido. Si lo escaneó de un papel, vuelva a intentarlo con buena luz; si el resultado es el mismo, no acepte el papel.", "The code is not that of any document that was issued. If you scanned it from a paper, try again in good light; if the result is the same, do not accept the paper."},
	pageWelcome:                 {"Verifique un documento", "Verify a document"},
	pageWelcome + ".lead":       {"Escanee con la cámara de su teléfono el código QR del documento. Se abrirá una página que dice si es válido.", "Scan the QR code of the document with the camera of your telephone. A page opens that says whether it is valid."},
	pageLimited:                 {"Demasiadas consultas", "Too many requests"},
	pageLimited + ".lead":       {"Espere un minuto y vuelva a intentarlo.", "Wait a minute, and try again."},
	pageFailed:                  {"No se pudo consultar", "It could not be looked up"},
	pageFailed + ".lead":        {"El registro no responde. Esto no dice nada del documento: vuelva a intentarlo más tarde.", "The registry does not answer. This says nothing of the document: try again later."},
	pageMethod:                  {"Solicitud no admitida", "The request is not taken"},
	pageMethod + ".lead":        {"Esta página solo se consulta.", "This page can only be read."},

	pageCard:            {"Verifique una tarjeta de vacunación", "Verify a vaccination card"},
	pageCard + ".lead":  {"Pegue lo que dice el código QR de una tarjeta de salud SMART (empieza con shc:/) o elija su archivo. Para una cartilla en papel, escanee su código QR de verificación.", "Paste what the QR code of a SMART Health Card says (it begins with shc:/), or choose its file. For a paper record, scan its QR code of verification."},
	pageCards:           {"Resultado", "Result"},
	pageCards + ".lead": {"Compare los datos con una identificación de quien presenta la tarjeta.", "Compare the data with an identification of who presents the card."},
	"card.text":         {"Texto del código QR", "Text of the QR code"},
	"card.file":         {"o archivo de la tarjeta (.smart-health-card)", "or file of the card (.smart-health-card)"},
	"card.check":        {"Verificar", "Verify"},
	"card.link":         {"Verificar una tarjeta de salud SMART", "Verify a SMART Health Card"},
	"card.privacy":      {"Lo que envíe no se guarda.", "What you send is not kept."},

	string(Altered):                 {"Tarjeta alterada", "The card was altered"},
	string(Altered) + ".lead":       {"La firma no corresponde a lo que dice. No la acepte.", "The signature does not fit what it says. Do not accept it."},
	string(Revoked):                 {"Tarjeta cancelada", "The card was revoked"},
	string(Revoked) + ".lead":       {"Quien la emitió la retiró: algo de lo que dice dejó de ser cierto. Pida una nueva.", "Its issuer took it back: something that it says is not so any more. Ask for a new one."},
	string(Expired):                 {"Tarjeta vencida", "The card has expired"},
	string(Expired) + ".lead":       {"Su tiempo terminó. Pida una nueva.", "Its time is over. Ask for a new one."},
	string(UnknownIssuer):           {"Emisor desconocido", "The issuer is not known"},
	string(UnknownIssuer) + ".lead": {"Esta autoridad no conoce a quien dice haberla emitido, y no puede decir si es auténtica.", "This authority does not know who it says has issued it, and cannot tell whether it is authentic."},
	string(NoKey):                   {"Firma no reconocida", "The signature is not recognised"},
	string(NoKey) + ".lead":         {"El emisor no tiene la llave con la que está firmada, o la retiró. No la acepte.", "The issuer does not have the key that it is signed by, or took it back. Do not accept it."},
	string(NotYet):                  {"Tarjeta que aún no vale", "The card does not count yet"},
	string(NotYet) + ".lead":        {"Dice haber sido emitida en el futuro.", "It says that it was issued in the future."},
	string(Malformed):               {"No es una tarjeta", "This is no card"},
	string(Malformed) + ".lead":     {"No es una tarjeta de salud SMART, o no está completa. Si tiene varios códigos, péguelos todos, uno por renglón.", "It is no SMART Health Card, or it is not whole. If it has several codes, paste all of them, one a line."},
}
