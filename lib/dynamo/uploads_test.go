package dynamo_test

import (
	"testing"

	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/upload"
	"github.com/herald-progress/herald/lib/upload/uploadtest"
)

func TestUploadsMeetTheStoreContract(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			table, _ := openFeed(t, variable, nil)
			store := &dynamo.Uploads{Client: table.Client, Table: table.Table}
			uploadtest.RunStore(t, func(*testing.T) upload.Store { return store })
		})
	}
}
