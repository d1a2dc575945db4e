package dynamo_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/connection/connectiontest"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
)

// endpoints are the emulators by name. The values are the environment variables with their URLs. Tests use both emulators at the same
// time, because each has only one thread.
var endpoints = map[string]string{"dynalite": dynamotest.Dynalite, "moto": dynamotest.Moto}

func TestConnectionsMeetTheStoreContract(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := newWireClient(t, variable, nil)
			store := &dynamo.Connections{Client: client, Table: "connections_" + rand.Text()}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatal(err)
			}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatalf("creating an existing table: %v", err)
			}
			connectiontest.Run(t, func(*testing.T) connectiontest.Connections { return batchStore{store} })
		})
	}
}

// batchStore stores many connections at once: an emulator would need a minute for 12,000 single requests.
type batchStore struct{ *dynamo.Connections }

// PutAll stores connections, 25 in a request. It takes the items from the requests that Put sends to a client that only records
// them. It does not check Put's condition.
func (s batchStore) PutAll(ctx context.Context, connections []connection.Connection) error {
	var writes []types.WriteRequest
	record := middleware.InitializeMiddlewareFunc("record", func(
		_ context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler,
	) (out middleware.InitializeOutput, _ middleware.Metadata, _ error) {
		writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: in.Parameters.(*dynamodb.PutItemInput).Item}})
		out.Result = &dynamodb.PutItemOutput{}
		return out, middleware.Metadata{}, nil
	})
	recorder := &dynamo.Connections{Table: s.Table, Client: dynamodb.New(dynamodb.Options{APIOptions: []func(*middleware.Stack) error{
		func(stack *middleware.Stack) error { return stack.Initialize.Add(record, middleware.Before) },
	}})}
	for _, c := range connections {
		if err := recorder.Put(ctx, c); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(writes, 25) {
		out, err := s.Client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{s.Table: batch}})
		if err != nil {
			return err
		}
		if len(out.UnprocessedItems) > 0 {
			return errors.New("the emulator did not store a whole batch")
		}
	}
	return nil
}

// TestUsageItemFormat checks the items that count usage after requests in four minutes. They must have a TTL and only the counters of
// the last two minutes, and must not be in the indexes. It does not run beside the contract tests: those keep an emulator busy for
// seconds, and a request that the SDK repeats after a lost answer would count twice.
func TestUsageItemFormat(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			client := dynamotest.Client(t, variable, nil)
			store := &dynamo.Connections{Client: client, Table: "connections_" + rand.Text()}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 11, 22, 10, 0, 30, 0, time.UTC)
			const id = "L0SM9cOFvHcCIhw="
			for _, minute := range []int{0, 1, 2, 3} {
				const limit = 10
				now := at.Add(time.Duration(minute) * time.Minute)
				_, _, connectErr := store.Connect(t.Context(), "u1", id, 1, limit, now)
				_, spendErr := store.Spend(t.Context(), "u1", id, 2, limit, now)
				_, refusalErr := store.CountRefusal(t.Context(), id, now)
				if err := errors.Join(connectErr, spendErr, refusalErr); err != nil {
					t.Fatal(err)
				}
			}
			all, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &store.Table})
			if err != nil {
				t.Fatal(err)
			}
			var got []map[string]any
			if err := attributevalue.UnmarshalListOfMaps(all.Items, &got); err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(got, func(a, b map[string]any) int {
				return strings.Compare(a["connectionId"].(string), b["connectionId"].(string))
			})
			last := at.Add(3 * time.Minute)
			expires, minute := float64(last.Unix()+7200), last.Unix()/60
			want := []map[string]any{
				{
					"connectionId": "refused#" + id, "expiresAt": expires,
					fmt.Sprint("refused#", minute-1): 1.0, fmt.Sprint("refused#", minute): 1.0,
				},
				{
					"connectionId": "user#u1", "expiresAt": expires, "seen#" + id: float64(last.UnixMilli()),
					fmt.Sprint("cost#", minute-1): 3.0, fmt.Sprint("cost#", minute): 3.0,
				},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			for _, index := range []string{dynamo.UserIndex, dynamo.SessionExpiryIndex} {
				rows, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &store.Table, IndexName: &index})
				if err != nil || len(rows.Items) != 0 {
					t.Errorf("%s holds %v, %v; want nothing", index, rows, err)
				}
			}
		})
	}
}
