package dynamo

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection"
)

func TestConnectionItemFormat(t *testing.T) {
	at := time.Date(2026, 11, 22, 11, 0, 0, 123_456_789, time.FixedZone("CET", 3600))
	item, err := attributevalue.MarshalMap(newConnectionItem(connection.Connection{
		ID: "L0SM9cOFvHcCIhw=", UserID: "u1", ConnectedAt: at, TokenExpiresAt: at.Add(time.Hour),
	}))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := attributevalue.UnmarshalMap(item, &got); err != nil {
		t.Fatal(err)
	}
	start := float64(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC).Unix())
	want := map[string]any{
		"connectionId": "L0SM9cOFvHcCIhw=", "userId": "u1", "connectedAt": "2026-11-22T10:00:00.123Z",
		"expiresAt": start + 7200, "tokenExpiresAt": start + 3600, "sessionMinute": (start + 3600) / 60,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("item (-want +got):\n%s", diff)
	}
}
