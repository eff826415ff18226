package store

// FewSharers is up to how many Patients may share a key that is worth a look by itself.
// Those who share a more common one are looked at when they share another key as well:
// records of one person nearly always do.
const FewSharers = 12
