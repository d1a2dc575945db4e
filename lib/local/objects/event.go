package objects

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/local/awswire"
)

// event is an event as S3 sends it to EventBridge,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html.
type event struct {
	Version    string      `json:"version"`
	ID         string      `json:"id"`
	DetailType string      `json:"detail-type"`
	Source     string      `json:"source"`
	Account    string      `json:"account"`
	Time       string      `json:"time"`
	Region     string      `json:"region"`
	Resources  []string    `json:"resources"`
	Detail     eventDetail `json:"detail"`
}

type eventDetail struct {
	Version         string      `json:"version"`
	Bucket          eventBucket `json:"bucket"`
	Object          eventObject `json:"object"`
	RequestID       string      `json:"request-id"`
	Requester       string      `json:"requester"`
	SourceIPAddress string      `json:"source-ip-address"`
	Reason          string      `json:"reason"`
}

type eventBucket struct {
	Name string `json:"name"`
}

type eventObject struct {
	Key       string `json:"key"`
	Size      int64  `json:"size"`
	ETag      string `json:"etag"`
	Sequencer string `json:"sequencer"`
}

// sendCreatedEvent calls Config.Created for the object that an exchange has created, if its bucket and key match.
func (s *S3) sendCreatedEvent(r *http.Request, requestID string, x *exchange) {
	bucket, key := x.created.bucket, x.created.key
	if s.cfg.Created == nil || bucket != s.cfg.Bucket || !strings.HasPrefix(key, s.cfg.Prefix) {
		return
	}

	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}

	encoded, err := json.Marshal(event{
		Version: "0", ID: awswire.NewUUID(), DetailType: "Object Created", Source: "aws.s3", Account: awswire.Account,
		Time: time.Now().UTC().Format(time.RFC3339), Region: awswire.Region, Resources: []string{"arn:aws:s3:::" + bucket},
		Detail: eventDetail{
			Version: "0", Bucket: eventBucket{bucket}, RequestID: requestID, Requester: awswire.Account,
			SourceIPAddress: address, Reason: x.created.reason,
			Object: eventObject{Key: key, Size: x.stored.size, ETag: x.stored.etag(), Sequencer: s.nextSequencer()},
		},
	})
	if err != nil {
		return // Cannot happen: texts and numbers always encode.
	}

	s.cfg.Created(context.WithoutCancel(r.Context()), encoded)
}

// nextSequencer returns a hexadecimal number with a fixed length, so that a later one sorts after all earlier ones.
func (s *S3) nextSequencer() string {
	for {
		last := s.sequence.Load()
		next := max(time.Now().UnixNano(), last+1)
		if s.sequence.CompareAndSwap(last, next) {
			return fmt.Sprintf("%018X", next)
		}
	}
}
