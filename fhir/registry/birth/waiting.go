package birth

// waiting is what a draft keeps until it is signed.
type waiting struct {
	Header string `json:"header"` // of the signature that was prepared
}
