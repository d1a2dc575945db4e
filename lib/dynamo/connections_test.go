package dynamo_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection/connectiontest"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/dynamo/dynamotest"
)

// endpoints names the variables that hold the URLs of DynamoDB emulators.
var endpoints = map[string]string{"dynalite": dynamotest.Dynalite, "moto": dynamotest.Moto}

func TestConnectionsMeetTheStoreContract(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			_, client := wired(t, variable, nil)
			store := &dynamo.Connections{Client: client, Table: "connections_" + rand.Text()}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatal(err)
			}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatalf("creating an existing table: %v", err)
			}
			connectiontest.Run(t, func(*testing.T) connectiontest.Connections { return store })
		})
	}
}

// TestUsageItemFormat checks the items of usage as the table stores them: outside the indexes, with a TTL.
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
				after := at.Add(time.Duration(minute) * time.Minute)
				_, _, entered := store.Connect(t.Context(), "u1", id, 1, 10, after)
				_, spent := store.Spend(t.Context(), "u1", id, 2, 10, after)
				_, refused := store.CountRefusal(t.Context(), id, after)
				if err := errors.Join(entered, spent, refused); err != nil {
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
					"connectionId": "user#u1", "expiresAt": expires, "heard#" + id: float64(last.UnixMilli()),
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
