package dynamo_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/herald-progress/herald/lib/benchtest"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed"
)

// httpFunc is an HTTP client of the SDK.
type httpFunc func(*http.Request) (*http.Response, error)

func (f httpFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// BenchmarkPart compares the update of a part, in jobs of 4, 64 and 256 parts, with its floor: the same UpdateItem, made before and sent by
// the SDK, whose response the SDK decodes. DynamoDB answers at once.
func BenchmarkPart(b *testing.B) {
	for _, parts := range []int{4, 64, 256} {
		b.Run(fmt.Sprint(parts, " parts"), func(b *testing.B) {
			client, update, floor := partClient(b, parts)
			s := &dynamo.Feed{Client: client, Table: "feed"}
			benchtest.Compare(b, 1, func() {
				if row, outcome, err := s.Apply(b.Context(), "user/u", update); err != nil || outcome != feed.Accepted || len(row.Parts) != parts {
					b.Fatal(len(row.Parts), outcome, err)
				}
			}, func() {
				if _, err := client.UpdateItem(b.Context(), floor); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// partClient returns a client whose responses have the row of a job with so many parts, an update of one of these, and the UpdateItem by
// which a Feed writes it.
func partClient(b *testing.B, parts int) (*dynamodb.Client, feed.Update, *dynamodb.UpdateItemInput) {
	b.Helper()
	m, at := &model{}, time.Now()
	s := &dynamo.Feed{Client: m.client(), Table: "feed"}
	for id := range parts {
		if _, _, err := s.Apply(b.Context(), "user/u", partUpdate("job", strconv.Itoa(id), 1, at)); err != nil {
			b.Fatal(err)
		}
	}
	// The row in the responses has fewer steps of the part, so that the update is always accepted.
	update := partUpdate("job", "1", 2, at)
	row, err := attributevalue.MarshalMapJSON(m.item("user/u", "job#job"))
	if err != nil {
		b.Fatal(err)
	}
	response := fmt.Appendf(nil, `{"Attributes":%s}`, row)
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		HTTPClient: httpFunc(func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, fmt.Errorf("read request: %w", err)
			}
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
				Body: io.NopCloser(bytes.NewReader(response)), ContentLength: int64(len(response)), Request: r,
			}, nil
		}),
	})

	var input *dynamodb.UpdateItemInput
	recording := client.Options().Copy()
	recording.APIOptions = append(recording.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("record", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			input, _ = in.Parameters.(*dynamodb.UpdateItemInput)
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	})
	s = &dynamo.Feed{Client: dynamodb.New(recording), Table: "feed"}
	for range 2 { // The first update fills the cache.
		if _, _, err := s.Apply(b.Context(), "user/u", update); err != nil {
			b.Fatal(err)
		}
	}
	if input == nil || aws.ToString(input.UpdateExpression) == "" {
		b.Fatal("the update of a part was no UpdateItem")
	}
	return client, update, input
}
