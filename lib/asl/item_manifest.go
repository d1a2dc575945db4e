package asl

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
)

// An inventory is the manifest of an S3 Inventory report.
type inventory struct {
	DestinationBucket string `json:"destinationBucket"` // An ARN.
	FileFormat        string `json:"fileFormat"`
	FileSchema        string `json:"fileSchema"` // The headers of the files: "Bucket, Key, Size".
	Files             []struct {
		Key string `json:"key"`
	} `json:"files"`
}

// readInventory adds the rows of the files that a manifest of S3 Inventory lists.
func (d *dataset) readInventory(ctx context.Context, manifest []byte) error {
	var inv inventory
	if err := json.Unmarshal(manifest, &inv); err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	if inv.FileFormat != inputCSV {
		return readerFailuref("The manifest has files of the format %q. Only CSV can be read here.", inv.FileFormat)
	}

	headers := strings.Split(inv.FileSchema, ",")
	for i := range headers {
		headers[i] = strings.TrimSpace(headers[i])
	}
	bucket := inv.DestinationBucket[strings.LastIndexByte(inv.DestinationBucket, ':')+1:]
	for _, file := range inv.Files {
		content, err := d.content(ctx, bucket, file.Key)
		if err != nil {
			return err
		}
		if err := d.parseCSV(content, headers); err != nil {
			return err
		}
	}
	return nil
}

// readListed adds the items of the objects that a manifest of Amazon Athena lists: a URI such as s3://bucket/key in each line.
func (d *dataset) readListed(ctx context.Context, manifest []byte) error {
	rows, err := csv.NewReader(bytes.NewReader(manifest)).ReadAll()
	if err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}

	for _, row := range rows {
		bucket, key, ok := strings.Cut(strings.TrimPrefix(row[0], "s3://"), "/")
		if !strings.HasPrefix(row[0], "s3://") || !ok {
			return readerFailuref("The manifest has a line that is not the URI of an object.")
		}
		if err := d.readObject(ctx, bucket, key); err != nil {
			return err
		}
	}
	return nil
}
