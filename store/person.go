package store

// Person is a Patient as it is compared with others.
type Person struct {
	Key      int64  // row key
	Features []byte // what the Indexing of the Patient made of it
}
