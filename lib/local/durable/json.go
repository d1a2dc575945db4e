package durable

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// JSON returns the change that stores a record as JSON. The record must be one that encoding/json can encode.
func JSON(table, key string, record any) Change {
	text, err := json.Marshal(record)
	if err != nil { // It is a mistake in the program.
		panic(fmt.Sprintf("durable: record of %s: %v", table, err))
	}
	return Change{Table: table, Key: key, Value: text}
}

// Decode decodes a record that JSON has encoded. A field that the record does not have is an error: it was written by a version with
// other records, and nothing of it may be lost.
func Decode(value []byte, record any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(record); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}
