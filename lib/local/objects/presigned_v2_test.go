package objects_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// signedByBoto3 are URLs that boto3 1.44.8 has signed with the key x, whose secret is y. They expire in 2100.
var signedByBoto3 = []struct{ method, url string }{
	{http.MethodGet, "/uploads/in/a%20b%2B%C3%A4.csv?response-content-type=text%2Fplain&AWSAccessKeyId=x&Signature=eZXNSb%2BQ8V5NAbeBV3MkbaLNkk4%3D&Expires=4102444800"},
	{http.MethodPut, "/uploads/in/a?AWSAccessKeyId=x&Signature=DlPSM%2B7hgGdyJKXu5pQkG0Q6jKw%3D&content-type=text%2Fcsv&x-amz-meta-a=1&Expires=4102444800"},
	{http.MethodPut, "/uploads/in/a?uploadId=u&partNumber=1&AWSAccessKeyId=x&Signature=CqtzcNAfNcE%2FCEw6JhpSv9wesoA%3D&Expires=4102444800"},
}

func TestPresignedURLsOfVersion2CannotBeChanged(t *testing.T) {
	t.Parallel()
	_, endpoint := newSigned(t, nil)
	for _, tt := range signedByBoto3 {
		if answer := send(t, tt.method, endpoint+tt.url, "", nil); answer.StatusCode == http.StatusForbidden {
			t.Errorf("%s: %s", tt.url, answer.Status)
		}
		for old, changed := range map[string]string{
			"/in/a": "/in/b", "Expires=4102444800": "Expires=4102444801", "text%2F": "text%2Fx", "meta-a=1": "meta-a=2", "partNumber=1": "partNumber=2",
			"4102444800": "soon",
		} {
			url := strings.Replace(tt.url, old, changed, 1)
			if url == tt.url {
				continue
			}
			if answer := send(t, tt.method, endpoint+url, "", nil); answer.StatusCode != http.StatusForbidden {
				t.Errorf("%s is answered %s, want 403", url, answer.Status)
			}
		}
	}

	old := endpoint + "/uploads/in/a?AWSAccessKeyId=unknown&Signature=a&Expires=" + strconv.FormatInt(time.Now().Unix()-1, 10)
	if answer := send(t, http.MethodGet, old, "", nil); answer.StatusCode != http.StatusForbidden {
		t.Errorf("an expired URL of an unknown key is answered %s, want 403", answer.Status)
	}
}
