package objects

import "github.com/rclone/gofakes3"

// NewDisk returns the store of objects below the HTTP endpoint, for tests in virtual time.
func NewDisk(dir string) *disk { return newDisk(dir) }

// FindUpload returns the error of a request for an upload, nil if the upload exists.
func (d *disk) FindUpload(bucket, key string, id gofakes3.UploadID) error {
	_, err := d.listParts(bucket, key, id, 0, maxPage)
	return err
}
