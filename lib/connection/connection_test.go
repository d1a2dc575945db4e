package connection_test

import (
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/connection/connectiontest"
)

func TestMemory(t *testing.T) {
	shared := &connection.Memory{}
	connectiontest.Run(t, func(*testing.T) connection.Store { return shared })
}

func TestSessionEndsWithItsTokenOrBeforeTwoHours(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		token time.Duration
		want  time.Duration
	}{
		{"token ends first", time.Hour, time.Hour},
		{"token outlives the connection", 24 * time.Hour, 7170 * time.Second},
		{"token ends with the longest session", 7170 * time.Second, 7170 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connection.Connection{ConnectedAt: at, TokenExpiresAt: at.Add(tt.token)}
			if got := c.End().Sub(at); got != tt.want {
				t.Errorf("session ends after %v, want %v", got, tt.want)
			}
			if got := c.RowExpiresAt().Sub(at); got != 2*time.Hour {
				t.Errorf("row expires after %v, want 2h", got)
			}
		})
	}
}
