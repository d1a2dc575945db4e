package objects

// NewDisk returns the store of objects below the HTTP endpoint, for tests in virtual time.
func NewDisk(dir string) *disk { return newDisk(dir) }
