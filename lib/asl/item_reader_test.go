package asl

import (
	"errors"
	"testing"
)

func TestDatasetHasNoMoreItemsThanItMay(t *testing.T) {
	d := &dataset{reader: &itemReader{}}
	for i := range maxDatasetItems {
		if err := d.add(nil); err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
	}

	var f *failure
	if err := d.add(nil); !errors.As(err, &f) || f.name != errorItemReader || f.cause != "The dataset has more than 1000000 items." {
		t.Errorf("got %v", err)
	}
}
