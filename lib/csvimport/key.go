package csvimport

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/herald-progress/herald/lib/message"
)

// The prefixes of the store's keys.
const (
	// UploadsPrefix is for the files that users upload. A new object under it starts an import.
	UploadsPrefix = "uploads/"
	// ClaimsPrefix is for the claims of imports. They may expire once no event of the version can arrive any more and its
	// import has ended.
	ClaimsPrefix = "claims/"
	// StagedPrefix is for the results of running imports. They may expire after some days.
	StagedPrefix = "staged/"
	// ResultsPrefix is for the results of finished imports.
	ResultsPrefix = "results/"
)

// userEncoding encodes a user's id, which may contain any character, for a key.
var userEncoding = base64.RawURLEncoding.Strict()

// UploadKey returns the key of a user's upload. Creating an object with this key starts an import.
func UploadKey(userID, uploadID, fileName string) string {
	return UploadsPrefix + userEncoding.EncodeToString([]byte(userID)) + "/" + uploadID + "/" + fileName
}

// identify returns the upload and its user from the key in the event. It reads nothing from the store.
func identify(e Event) (File, error) {
	rest, ok := strings.CutPrefix(e.Object.Key, UploadsPrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return File{}, badKey("must be uploads/<user>/<upload>/<file>")
	}
	user, err := userEncoding.DecodeString(parts[0])
	switch {
	// DecodeString ignores line ends, so the decoded user must also have this encoding.
	case err != nil, userEncoding.EncodeToString(user) != parts[0], !message.ValidID(string(user), message.MaxUserID):
		return File{}, badKey("the user must be unpadded base64url of a user's id")
	case !message.ValidID(parts[1], message.MaxID):
		return File{}, badKey("the upload's id is empty, too long, or no text")
	case !message.ValidName(parts[2], message.MaxName):
		return File{}, badKey("the file's name is empty, too long, or no text")
	}

	return File{
		UserID: string(user), UploadID: parts[1], FileName: parts[2],
		Key: e.Object.Key, Version: e.Object.VersionID, ETag: e.Object.ETag, Size: e.Object.Size,
		Sequencer: sequencer(e.Object.Sequencer), Claim: claimName(e),
	}, nil
}

// badKey returns the error of an upload whose key breaks a rule.
func badKey(reason string) error {
	return &InvalidFile{Reason: "The object's key is not that of an upload: " + reason}
}

// claimLength is the length of a claim's name, in hexadecimal digits.
const claimLength = 32

// claimName returns the name of the claim on one version of one object. In a bucket without versions, the sequencer distinguishes an
// overwrite with the same content from a repeated event.
func claimName(e Event) string {
	version := e.Object.VersionID
	if version == "" {
		version = e.Object.ETag + "\n" + e.Object.Sequencer
	}
	sum := sha256.Sum256([]byte(e.Object.Key + "\n" + version))
	return hex.EncodeToString(sum[:claimLength/2])
}

// object returns what the steps read: the upload's object, with the version and the ETag of the event.
func (f File) object() Object { return Object{Key: f.Key, Version: f.Version, ETag: f.ETag} }

// keyPrefix returns the prefix of the keys of the file's upload, below a prefix of the store.
func (f File) keyPrefix(prefix string) string {
	return prefix + userEncoding.EncodeToString([]byte(f.UserID)) + "/" + f.UploadID + "/"
}

// claimKey returns the key of the claim on this version of the upload. Keys of newer versions come first.
func (f File) claimKey() string {
	return f.keyPrefix(ClaimsPrefix) + descendingKey(f.Sequencer) + "-" + f.Claim
}

// SummaryKey returns the key of the [Summary] of an upload.
func SummaryKey(userID, uploadID string) string {
	return File{UserID: userID, UploadID: uploadID}.summaryKey()
}

// summaryKey returns the key of the upload's summary.
func (f File) summaryKey() string { return f.keyPrefix(ResultsPrefix) + summaryName }

// ResultsPrefix returns the prefix of the keys of this import's results.
func (f File) ResultsPrefix() string { return f.keyPrefix(ResultsPrefix) + f.Claim + "/" }

// StagedPrefix returns the prefix of the keys of this import's staged objects.
func (f File) StagedPrefix() string { return StagedPrefix + f.Claim + "/" }

// stagedKey returns the key of the objects that chunk n stages, without suffix.
func (f File) stagedKey(n int) string { return fmt.Sprintf("%s%05d", f.StagedPrefix(), n) }

// The suffixes of the keys of staged objects.
const (
	rowsSuffix    = ".jsonl"
	rejectsSuffix = ".rejected.csv"
)
