package upload_test

import (
	"net/http"
	"testing"

	"github.com/herald-progress/herald/lib/upload"
	"github.com/herald-progress/herald/lib/upload/uploadtest"
)

func TestMemoryObjectsMeetTheContract(t *testing.T) {
	open := func(*testing.T) uploadtest.Bucket {
		m := &upload.MemoryObjects{}
		return uploadtest.Bucket{
			Objects: m, Client: &http.Client{Transport: m},
			Content: func(_ *testing.T, key string) []byte { return m.Content(key) },
		}
	}
	uploadtest.RunObjects(t, open)
	uploadtest.RunStrict(t, open)
}

func TestMemoryMeetsTheContract(t *testing.T) {
	store := &upload.Memory{}
	uploadtest.RunStore(t, func(*testing.T) upload.Store { return store })
}
