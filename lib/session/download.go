package session

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// Codes of the error frames about downloads.
const (
	// CodeDownloadsDisabled answers a download of an object where there is no bucket.
	CodeDownloadsDisabled = "DOWNLOADS_DISABLED"
	// CodeResultNotFound answers a download of a job that the user does not have, or that has no result.
	CodeResultNotFound = "RESULT_NOT_FOUND"
)

// downloadCost is the cost of a download, in posts: the answer, and a read of the job.
const downloadCost = 2

// Downloads signs the URLs of downloads.
type Downloads interface {
	// SignDownload returns the URL of a GET that downloads an object as a file with a name, and when the URL expires: after life or
	// earlier. It makes no request to the object store.
	SignDownload(ctx context.Context, key, fileName string, life time.Duration) (url string, expiresAt time.Time, err error)
}

// downloadAction asks for the URL of the result of a job.
type downloadAction struct{ job string }

func decodeDownload(raw []byte) (action, error) {
	var m struct {
		Action  string `json:"action"`
		Request string `json:"request"`
		Job     string `json:"job"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	if !validRequest(m.Request) {
		return nil, invalid("request", ruleRequest)
	}
	if !message.ValidID(m.Job, message.MaxID) {
		return nil, invalid("job", "must be the id of a job")
	}

	return downloadAction{job: m.Job}, nil
}

// do posts the URL of the result of the user's own job. The feed has accepted only results of the job's user; do checks the key again,
// because the URL gives access to the object.
func (a downloadAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	c, err := h.chargeMinimum(ctx, log, resp, downloadCost)
	if err != nil {
		return err
	}
	if c.budgetExhausted {
		return errBudgetSpent
	}
	userID := resp.connection.UserID
	row, err := h.Feed.Job(ctx, feed.User(userID), a.job)
	if err != nil && !errors.Is(err, feed.ErrNotFound) {
		return internalError("read job", err)
	}
	result := row.State.Result
	if err != nil || result == "" || !message.IsResultOf(userID, result) {
		log.InfoContext(ctx, "download refused", "code", CodeResultNotFound)
		return resp.sendError(ctx, CodeResultNotFound, "This job has no result")
	}
	answer := message.DownloadURL{Request: resp.request, Job: a.job, URL: result}
	if message.IsResultKey(result) {
		if h.Downloads == nil {
			return resp.sendError(ctx, CodeDownloadsDisabled, "Downloads are switched off")
		}
		if answer.URL, answer.ExpiresAt.Time, err = h.Downloads.SignDownload(ctx, result, path.Base(result), message.DownloadLife); err != nil {
			return internalError("sign download", err)
		}
	}
	log.InfoContext(ctx, "download answered", "presigned", message.IsResultKey(result))

	return resp.send(ctx, answer)
}
