package csvimport

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// The store's prefixes. Objects below stagedPrefix may expire after some days, those below claimsPrefix after as many as an
// event may be late and an import may take.
const (
	uploadsPrefix = "uploads/"
	claimsPrefix  = "claims/"
	stagedPrefix  = "staged/"
	resultsPrefix = "results/"
)

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
		!message.ValidID(string(user), message.MaxUserID):
		return File{}, badKey("the user must be unpadded base64url of a user's id")
	case !message.ValidID(parts[1], message.MaxID):
		return File{}, badKey("the upload's id is empty, too long, or no text")
	case !message.ValidName(parts[2], message.MaxName):
		return File{}, badKey("the file's name is empty, too long, or no text")
	}

	return File{
		UserID: string(user), UploadID: parts[1], FileName: parts[2],
		Key: e.Object.Key, Version: e.Object.VersionID, ETag: e.Object.ETag, Size: e.Object.Size,
		Sequencer: sequencer(e.Object.Sequencer), Claim: claimOf(e),
	}, nil
}

func badKey(reason string) error {
	return &InvalidFile{Reason: "The object's key is not that of an upload: " + reason}
}

// claimLength is the length of a claim's name.
const claimLength = 32

// claimOf names one state of one object. Without a version, ETag and sequencer tell an overwrite with the same content
// from a repeated event.
func claimOf(e Event) string {
	state := e.Object.VersionID
	if state == "" {
		state = e.Object.ETag + "\n" + e.Object.Sequencer
	}
	sum := sha256.Sum256([]byte(e.Object.Key + "\n" + state))
	return hex.EncodeToString(sum[:claimLength/2])
}

// object names the upload in exactly the state that the import is about.
func (f File) object() Object { return Object{Key: f.Key, Version: f.Version, ETag: f.ETag} }

// of returns what the keys of the file's upload start with, below a prefix of the store.
func (f File) of(prefix string) string {
	return prefix + userEncoding.EncodeToString([]byte(f.UserID)) + "/" + f.UploadID + "/"
}

// claimKey returns the key of the claim on this version of the upload. Keys of newer versions come first.
func (f File) claimKey() string { return f.of(claimsPrefix) + descending(f.Sequencer) + "-" + f.Claim }

// summaryKey returns the key of the upload's summary.
func (f File) summaryKey() string { return f.of(resultsPrefix) + summaryName }

// resultsPrefix returns what the keys of this import's results start with.
func (f File) resultsPrefix() string { return f.of(resultsPrefix) + f.Claim + "/" }

// stagedPrefix returns what the keys of this import's staged objects start with.
func (f File) stagedPrefix() string { return stagedPrefix + f.Claim + "/" }

// staged returns the key, without suffix, of what chunk n stages.
func (f File) staged(n int) string { return fmt.Sprintf("%s%05d", f.stagedPrefix(), n) }

// The suffixes of what a chunk stages.
const (
	rowsSuffix    = ".jsonl"
	rejectsSuffix = ".rejected.csv"
)
