package deployment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// lastRelease writes the template of the last release into the folder with today's functions, and returns its path. The programs
// of the last release are not in the repository, so its template is deployed with today's.
func (d *deployer) lastRelease(t *testing.T, folder string) string {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join("..", "..", "testdata", "releases", "*", "herald-hs256.template.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("templates of the last release: %q, %v", kept, err)
	}
	template, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "last-release.template.json")
	template = bytes.ReplaceAll(template, []byte(`"arm64"`), []byte(`"`+d.architecture+`"`))
	if err := os.WriteFile(file, template, 0o600); err != nil {
		t.Fatal(err)
	}

	return file
}

// upgrades deploys a stack from the template of the last release and uses it, updates it to today's template, and rolls it back. After
// each step the stack has what it had, and works.
func (d *deployer) upgrades(t *testing.T, stack, lastRelease, today string, parameters ...string) {
	t.Helper()
	d.deployTemplate(t, stack, lastRelease, parameters...)
	d.job = d.use(t, stack)
	before := d.inventory(t, stack)
	if len(before.outputs) == 0 || len(before.resources) == 0 || len(before.rows) == 0 || len(before.objects) == 0 {
		t.Fatalf("the stack that was used has %+v", before)
	}
	for _, step := range []struct{ name, template string }{{"the update", today}, {"the rollback", lastRelease}} {
		d.deployTemplate(t, stack, step.template, parameters...)
		after := d.inventory(t, stack)
		hasAll(t, "output after "+step.name, before.outputs, after.outputs)
		hasAll(t, "resource after "+step.name, before.resources, after.resources)
		hasAll(t, "row after "+step.name, before.rows, after.rows)
		hasAll(t, "object after "+step.name, before.objects, after.objects)
		if step.template == lastRelease && !reflect.DeepEqual(before.resources, after.resources) {
			t.Errorf("the rollback leaves resources: %v, before %v", after.resources, before.resources)
		}
		d.hasJob(t, stack)
		d.use(t, stack)
	}
}

// inventory is what a stack has, and an update must not change.
type inventory struct {
	// outputs are the values of the outputs by name. Resources are the physical ids by logical id; that of a table goes with the time of
	// its creation, because a new table could have the same name.
	outputs, resources map[string]string
	// rows are the versions of jobs and notes by their keys in the feed, and objects the ETags by their keys in the bucket.
	rows, objects map[string]string
}

// inventory returns what a stack has.
func (d *deployer) inventory(t *testing.T, stack string) inventory {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	return inventory{
		outputs: d.outputs[stack], resources: d.resources(ctx, t, stack),
		rows: d.rows(ctx, t, d.outputs[stack]["FeedTableName"]), objects: d.objects(ctx, t, d.outputs[stack]["UploadsBucketName"]),
	}
}

// hasAll checks that all that was there is there, and the same.
func hasAll(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if after[name] != before[name] {
			t.Errorf("%s: %s was %q, and is %q", what, name, before[name], after[name])
		}
	}
}

func (d *deployer) resources(ctx context.Context, t *testing.T, stack string) map[string]string {
	t.Helper()
	var described struct {
		StackResources []struct{ LogicalResourceID, PhysicalResourceID, ResourceType string }
	}
	if err := json.Unmarshal([]byte(d.aws(t, "cloudformation", "describe-stack-resources", "--stack-name", stack)), &described); err != nil {
		t.Fatal(err)
	}
	tables, out := dynamodb.NewFromConfig(d.config), map[string]string{}
	for _, r := range described.StackResources {
		id := r.PhysicalResourceID
		if r.ResourceType == "AWS::DynamoDB::Table" {
			table, err := tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(id)})
			if err != nil {
				t.Fatal(err)
			}
			id += " of " + table.Table.CreationDateTime.String()
		}
		out[r.LogicalResourceID] = id
	}

	return out
}

func (d *deployer) rows(ctx context.Context, t *testing.T, table string) map[string]string {
	t.Helper()
	out := map[string]string{}
	pages := dynamodb.NewScanPaginator(dynamodb.NewFromConfig(d.config), &dynamodb.ScanInput{TableName: aws.String(table)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Items {
			entry := attribute(row["entry"])
			if strings.HasPrefix(entry, "job#") || strings.HasPrefix(entry, "note#") {
				out[attribute(row["owner"])+" "+entry] = "version " + attribute(row["epoch"]) + " " + attribute(row["seq"])
			}
		}
	}

	return out
}

// attribute returns an attribute of a row as text.
func attribute(value types.AttributeValue) string {
	switch value := value.(type) {
	case *types.AttributeValueMemberS:
		return value.Value
	case *types.AttributeValueMemberN:
		return value.Value
	default:
		return ""
	}
}

func (d *deployer) objects(ctx context.Context, t *testing.T, bucket string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, prefix := range []string{"uploads/", "results/"} {
		pages := s3.NewListObjectsV2Paginator(d.s3(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				out[*o.Key] = *o.ETag
			}
		}
	}

	return out
}
