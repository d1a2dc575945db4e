package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/message"
	"github.com/herald-progress/herald/lib/upload"
)

// The costs of messages about uploads, in posts.
const (
	// openUploadCost is the cost of opening an upload: one post for the answer, and about as many posts as the import of a small
	// file causes.
	openUploadCost = 20
	// uploadStepCost is the cost of a message about an upload that was opened before. The message causes one post, and up to ten
	// requests to the stores.
	uploadStepCost = 2
)

// uploadTimeout bounds the requests of one message to the stores, so that there is time left for the answer. Joining the parts
// of a large file may take longer: then the browser asks again.
const uploadTimeout = 20 * time.Second

// openUploadAction opens an upload.
type openUploadAction struct {
	request string
	file    message.UploadFile
}

func decodeUpload(raw []byte) (action, error) {
	var m struct {
		Action      string `json:"action"`
		Request     string `json:"request"`
		FileName    string `json:"fileName"`
		Size        int64  `json:"size"`
		ContentType string `json:"contentType"`
	}
	if err := message.DecodeObject(raw, "", &m); err != nil {
		return nil, err
	}
	if !validRequest(m.Request) {
		return nil, invalid("request", ruleRequest)
	}
	file := message.UploadFile{FileName: m.FileName, Size: m.Size, ContentType: m.ContentType}
	if err := file.Validate(); err != nil {
		return nil, err
	}

	return openUploadAction{request: m.Request, file: file}, nil
}

// do opens an upload, and posts where its bytes go.
func (a openUploadAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	return h.answerUpload(ctx, log, resp, openUploadCost, func(ctx context.Context) (message.UploadURL, error) {
		return h.Uploads.Open(ctx, resp.connection.UserID, a.request, a.file)
	})
}

// uploadStep continues or ends an upload of a user.
type uploadStep func(u *upload.Service, ctx context.Context, userID, id string) (message.UploadURL, error)

// uploadStepAction is a message about an upload that was opened before.
type uploadStepAction struct {
	id   string
	step uploadStep
}

// decodeUploadStep returns the decoder of the messages that carry out step.
func decodeUploadStep(step uploadStep) func(raw []byte) (action, error) {
	return func(raw []byte) (action, error) {
		var m struct {
			Action   string `json:"action"`
			Request  string `json:"request"`
			UploadID string `json:"uploadId"`
		}
		if err := message.DecodeObject(raw, "", &m); err != nil {
			return nil, err
		}
		if !validRequest(m.Request) {
			return nil, invalid("request", ruleRequest)
		}
		id, err := ulid.ParseStrict(m.UploadID)
		if err != nil {
			return nil, invalid("uploadId", "must be the id of an upload, a ULID")
		}

		return uploadStepAction{id: id.String(), step: step}, nil
	}
}

// do carries out the step, and posts what is left to upload or how the upload has ended.
func (a uploadStepAction) do(ctx context.Context, h *Default, log *slog.Logger, resp *responder) error {
	return h.answerUpload(ctx, log, resp, uploadStepCost, func(ctx context.Context) (message.UploadURL, error) {
		return a.step(h.Uploads, ctx, resp.connection.UserID, a.id)
	})
}

// uploadErrors are the errors of uploads that the browser sees.
var uploadErrors = []struct {
	err        error
	code, text string
}{
	{upload.ErrNotFound, CodeUploadNotFound, "There is no such upload of this user, or none any more"},
	{upload.ErrTooManyOpen, CodeUploadLimit, "Too many uploads of this user are open"},
	{upload.ErrIncomplete, CodeUploadIncomplete, "The file is not stored as a whole"},
}

// answerUpload charges a cost and posts the answer of a call to Uploads. It does not log the answer's URLs, because they are
// secrets of the user.
func (h *Default) answerUpload(
	ctx context.Context, log *slog.Logger, resp *responder, cost int, call func(context.Context) (message.UploadURL, error),
) error {
	if h.Uploads == nil {
		cost = 1 // the error frame is one post
	}
	c, err := h.chargeMinimum(ctx, log, resp, cost)
	if err != nil {
		return err
	}
	if c.budgetExhausted {
		return errBudgetSpent
	}
	if h.Uploads == nil {
		return resp.sendError(ctx, CodeUploadsDisabled, "Uploads are switched off")
	}
	callCtx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	answer, err := call(callCtx)
	for _, known := range uploadErrors {
		if errors.Is(err, known.err) {
			log.InfoContext(ctx, "upload refused", "code", known.code)
			return resp.sendError(ctx, known.code, known.text)
		}
	}
	if err != nil {
		return internalError("upload", err)
	}
	log.InfoContext(ctx, "upload answered", "uploadId", answer.UploadID, "complete", answer.Complete, "aborted", answer.Aborted)
	answer.Request = resp.request
	return resp.send(ctx, answer)
}
