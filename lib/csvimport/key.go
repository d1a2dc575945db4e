package csvimport

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/message"
)

// The store's prefixes. Objects below claimsPrefix and stagedPrefix may expire after some days.
const (
	uploadsPrefix = "uploads/"
	claimsPrefix  = "claims/"
	stagedPrefix  = "staged/"
	resultsPrefix = "results/"
)

// maxUserID bounds a user's id, in bytes, so that every key made of it stays below Amazon S3's 1,024 bytes.
const maxUserID = 512

// userEncoding is how a user's id, which may hold any character, stands in a key.
var userEncoding = base64.RawURLEncoding.Strict()

// UploadKey returns the key below which a user's upload starts an import.
func UploadKey(userID, uploadID, fileName string) string {
	return uploadsPrefix + userEncoding.EncodeToString([]byte(userID)) + "/" + uploadID + "/" + fileName
}

// identify returns whose upload the event is about. It reads nothing but the event.
func identify(e Event) (File, error) {
	rest, ok := strings.CutPrefix(e.Object.Key, uploadsPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 { //nolint:mnd // user, upload, file
		return File{}, badKey("must be uploads/<user>/<upload>/<file>")
	}
	user, err := userEncoding.DecodeString(parts[0])
	switch {
	case err != nil || userEncoding.EncodeToString(user) != parts[0], // DecodeString passes over line ends
		len(user) == 0 || len(user) > maxUserID || !utf8.Valid(user):
		return File{}, badKey("the user must be unpadded base64url")
	case parts[1] == "" || len(parts[1]) > message.MaxID || !utf8.ValidString(parts[1]):
		return File{}, badKey("the upload's id is empty or too long")
	case parts[2] == "" || len(parts[2]) > message.MaxName || !utf8.ValidString(parts[2]):
		return File{}, badKey("the file's name is empty or too long")
	}

	return File{
		UserID: string(user), UploadID: parts[1], FileName: parts[2],
		Key: e.Object.Key, Version: e.Object.VersionID, ETag: e.Object.ETag, Size: e.Object.Size,
		Claim: claimOf(e),
	}, nil
}

func badKey(reason string) error {
	return &InvalidFile{Reason: "The object's key is not that of an upload: " + reason}
}

// claimOf names one state of one object. Without a version, ETag and sequencer tell an overwrite with the same content
// from a repeated event.
func claimOf(e Event) string {
	state := e.Object.VersionID
	if state == "" {
		state = e.Object.ETag + "\n" + e.Object.Sequencer
	}
	sum := sha256.Sum256([]byte(e.Object.Key + "\n" + state))

	return hex.EncodeToString(sum[:16])
}

// object names the upload in exactly the state that the import is about.
func (f File) object() Object { return Object{Key: f.Key, Version: f.Version, ETag: f.ETag} }

// resultsPrefix returns what the keys of the import's results start with.
func (f File) resultsPrefix() string {
	return resultsPrefix + userEncoding.EncodeToString([]byte(f.UserID)) + "/" + f.UploadID + "/"
}

// staged returns the key, without suffix, of what chunk n stages.
func (f File) staged(n int) string { return fmt.Sprintf("%s%s/%05d", stagedPrefix, f.Claim, n) }

// The suffixes of what a chunk stages.
const (
	rowsSuffix    = ".jsonl"
	rejectsSuffix = ".rejected.csv"
)
