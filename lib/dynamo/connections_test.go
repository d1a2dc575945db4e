package dynamo_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection/connectiontest"
	"github.com/herald-progress/herald/lib/dynamo"
)

// endpoints names the variables that hold the URLs of DynamoDB emulators.
var endpoints = map[string]string{"dynalite": "DYNALITE_ENDPOINT", "moto": "MOTO_ENDPOINT"}

func TestConnections(t *testing.T) {
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

// TestWhatIsCountedAsItStandsInTheTable: a row of its own, in no index, that the table drops in time.
func TestWhatIsCountedAsItStandsInTheTable(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			client := emulator(t, variable)
			store := &dynamo.Connections{Client: client, Table: "connections_" + rand.Text()}
			if err := dynamo.CreateConnections(t.Context(), client, store.Table); err != nil {
				t.Fatal(err)
			}
			at := time.Date(2026, 11, 22, 10, 0, 30, 0, time.UTC)
			for _, minute := range []int{0, 1, 2, 3} {
				if _, err := store.Count(t.Context(), "L0SM9cOFvHcCIhw=", "sync", at.Add(time.Duration(minute)*time.Minute)); err != nil {
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
			last := at.Add(3 * time.Minute).Unix()
			want := []map[string]any{{
				"connectionId": "L0SM9cOFvHcCIhw=#usage", "expiresAt": float64(last + 7200), "sync": 4.0, fmt.Sprint("m", last/60): 1.0,
			}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
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

func emulator(t *testing.T, variable string) *dynamodb.Client {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		t.Skipf("set %s to the URL of a DynamoDB emulator", variable)
	}

	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
}
