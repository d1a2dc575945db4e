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

// maxFileName bounds the name of a file that is imported, in bytes of JSON: the title of its note is "Imported " and the name.
const maxFileName = message.MaxName - len("Imported ")

// noName is shown as the name of a file that has none.
const noName = "(no name)"

// identify returns the upload and its user from the key in the event. It reads nothing from the store. The error is an *InvalidFile.
//
// If the key has a user and is not that of an upload, identify returns the error with a File that names the user, and an upload and
// a name to show to that user. Otherwise its File is empty after an error.
func identify(e Event) (File, error) {
	rest, ok := strings.CutPrefix(e.Object.Key, UploadsPrefix)
	encodedUser, rest, hasUser := strings.Cut(rest, "/")
	if !ok || !hasUser {
		return File{}, badKey("There is no user")
	}
	user, err := userEncoding.DecodeString(encodedUser)
	// DecodeString ignores line ends, so the decoded user must also have this encoding.
	if err != nil || userEncoding.EncodeToString(user) != encodedUser || !message.ValidID(string(user), message.MaxUserID) {
		return File{}, badKey("The user must be the unpadded base64url of a user's id")
	}
	upload, name, hasUpload := strings.Cut(rest, "/")
	if !hasUpload {
		upload, name = "", rest
	}
	f := File{
		UserID: string(user), UploadID: upload, FileName: name,
		Key: e.Object.Key, Version: e.Object.VersionID, ETag: e.Object.ETag, Size: e.Object.Size,
		Sequencer: sequencer(e.Object.Sequencer), Claim: claimName(e),
	}
	if err := f.checkKey(); err != nil {
		return f.displayable(), err
	}

	return f, nil
}

// checkKey returns an *InvalidFile that says in what the key is not that of an upload, or nil.
func (f File) checkKey() error {
	switch {
	case f.UploadID == "":
		return badKey("There is no upload's id")
	case !message.ValidID(f.UploadID, message.MaxID):
		return badKey(fmt.Sprintf("The upload's id must have at most %d bytes, and no control characters", message.MaxID))
	case f.UploadID == "." || f.UploadID == "..":
		return badKey("The upload's id must not be . or ..")
	case f.FileName == "":
		return badKey("The file has no name")
	case strings.Contains(f.FileName, "/"):
		return badKey("The file's name must not contain a slash")
	case !message.ValidName(f.FileName, maxFileName):
		return badKey(fmt.Sprintf("The file's name is too long: it must have at most %d bytes, of which a control character takes six", maxFileName))
	}

	return nil
}

// displayable returns f with an upload's id and a file's name that every message may contain. If f has no valid id, the id is made
// of the key.
func (f File) displayable() File {
	if !message.ValidID(f.UploadID, message.MaxID) {
		sum := sha256.Sum256([]byte(f.Key))
		f.UploadID = hex.EncodeToString(sum[:claimLength/2])
	}
	if f.FileName == "" {
		f.FileName = noName
	}
	f.FileName = message.Truncate(f.FileName, maxFileName)

	return f
}

// badKey returns the error of an object whose key is not that of an upload.
func badKey(reason string) error {
	return &InvalidFile{Reason: reason + ". An upload's key is uploads/<user>/<upload>/<file>"}
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
