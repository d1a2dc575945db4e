package pipeline

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lib/csvimport"
)

// The lifetimes of the objects in the bucket.
const (
	abortMultipartDays = 1  // a presigned upload lasts minutes
	stagedDays         = 7  // an import lasts minutes; older objects belong to a killed one
	claimsDays         = 30 // an event is repeated within days, if ever
	noncurrentDays     = 30 // overwritten uploads and results can be restored for a month, if they are stored for ever
	expiredDays        = 1  // what has expired need not be restored; a day is the minimum
)

// maxObjectDays is a bound that nobody reaches: ten years.
const maxObjectDays = 3653

// lifetimeSettings returns the settings of how long the objects of users are stored.
func lifetimeSettings() []setting {
	return []setting{
		{key: "uploadDays", field: func(s *Settings) any { return &s.Props.UploadDays }, check: checkObjectDays},
		{key: "resultDays", field: func(s *Settings) any { return &s.Props.ResultDays }, check: checkObjectDays},
	}
}

// checkObjectDays checks a number of days. The rules of an existing bucket are not the stack's.
func checkObjectDays(c *checker, s setting, all *Settings) {
	between(0, maxObjectDays, "days; 0 stores for ever")(c, s, all)
	if days, _ := s.field(all).(*int); *days != 0 && all.Props.UploadsBucket != "" {
		c.addf("%s: not used with uploadsBucket; give that bucket a lifecycle rule", s.key)
	}
}

// lifecycleRules returns the bucket's rules.
func (p *Pipeline) lifecycleRules() *[]*awss3.LifecycleRule {
	rules := []*awss3.LifecycleRule{
		{
			Id:                                  jsii.String("tidy"),
			AbortIncompleteMultipartUploadAfter: days(abortMultipartDays),
			NoncurrentVersionExpiration:         days(noncurrentDays),
			ExpiredObjectDeleteMarker:           jsii.Bool(true),
		},
		expiry("staged", csvimport.StagedPrefix, stagedDays),
		expiry("claims", csvimport.ClaimsPrefix, claimsDays),
	}
	if p.props.UploadDays > 0 {
		rules = append(rules, expiry("uploads", csvimport.UploadsPrefix, p.props.UploadDays))
	}
	if p.props.ResultDays > 0 {
		rules = append(rules, expiry("results", csvimport.ResultsPrefix, p.props.ResultDays))
	}

	return &rules
}

// expiry returns the rule that deletes the objects under a prefix after some days, and a day later for good.
func expiry(id, prefix string, after int) *awss3.LifecycleRule {
	return &awss3.LifecycleRule{
		Id:                          jsii.String(id),
		Prefix:                      jsii.String(prefix),
		Expiration:                  days(float64(after)),
		NoncurrentVersionExpiration: days(expiredDays),
	}
}

func days(n float64) awscdk.Duration { return awscdk.Duration_Days(jsii.Number(n)) }
