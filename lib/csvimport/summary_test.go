package csvimport

import (
	"strings"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// TestAResultNeverPreventsTheEndOfAnImport: the state with which the workflow ends a job must be valid, whatever the ids and the name of
// its file.
func TestAResultNeverPreventsTheEndOfAnImport(t *testing.T) {
	offered := 0
	for _, user := range []string{"u1", strings.Repeat("x", message.MaxUserID)} {
		for _, upload := range []string{"u-42", strings.Repeat(`"`, message.MaxID)} {
			for _, name := range []string{"a.csv", strings.Repeat("n", maxFileName)} {
				f := File{UserID: user, UploadID: upload, FileName: name, Claim: strings.Repeat("c", claimLength)}
				counts := Counts{Rows: 1 << 30, Rejected: 1 << 29}
				end := message.UploadProgress{
					UploadID: upload, FileName: name, Progress: 100, Status: message.StatusSucceeded, Phase: "finish",
					Message:    "Imported 536870912 of 1073741824 rows, 536870912 rejected",
					CurrentRow: counts.Rows, TotalRows: counts.Rows, FailedRows: counts.Rejected, Result: f.resultToOffer(counts),
				}
				if end.Result != "" {
					offered++
				}
				err := message.Request{UserID: user, Message: end}.Validate()
				if tooLarge := message.New(end, "", time.Now()).CheckSize(""); err != nil || tooLarge != nil {
					t.Errorf("%.10q %.10q %.10q: %v, %v", user, upload, name, err, tooLarge)
				}
			}
		}
	}
	if offered != 7 {
		t.Errorf("%d of 8 imports offer a result; want all but the one with the longest ids and name", offered)
	}
}
