// What gophercloud's acceptance tests of messages and claims do, in a queue that does not delay.
//
// Their own queue delays messages by 25 seconds, so that they find none in it: with every server two of them fail, and
// others look at nothing. These look at what comes back.
package messaging

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud"
	"github.com/gophercloud/gophercloud/acceptance/clients"
	"github.com/gophercloud/gophercloud/openstack/messaging/v2/claims"
	"github.com/gophercloud/gophercloud/openstack/messaging/v2/messages"
	"github.com/gophercloud/gophercloud/openstack/messaging/v2/queues"
	"github.com/gophercloud/gophercloud/pagination"
)

const (
	producer = "3381af92-2b9e-11e3-b191-718613007343"
	consumer = "3381af92-2b9e-11e3-b191-71861300734d"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, found, wanted interface{}) {
	t.Helper()
	if !reflect.DeepEqual(found, wanted) {
		t.Fatalf("%v is not %v", found, wanted)
	}
}

// filled gives a consumer's client, with a queue that holds so many numbered messages.
func filled(t *testing.T, queue string, count int) *gophercloud.ServiceClient {
	t.Helper()
	client, err := clients.NewMessagingV2Client(producer)
	must(t, err)
	must(t, queues.Create(client, queues.CreateOpts{QueueName: queue, DefaultMessageTTL: 3700}).ExtractErr())
	t.Cleanup(func() { must(t, queues.Delete(client, queue).ExtractErr()) })
	var batch messages.BatchCreateOpts
	for number := 0; number < count; number++ {
		body := map[string]interface{}{"number": number}
		batch = append(batch, messages.CreateOpts{TTL: 300, Body: body})
	}
	made, err := messages.Create(client, queue, batch).Extract()
	must(t, err)
	same(t, len(made.Resources), count)
	reader, err := clients.NewMessagingV2Client(consumer)
	must(t, err)
	return reader
}

// listed gives the messages of a queue, of all pages of two, and their numbers.
func listed(t *testing.T, client *gophercloud.ServiceClient, queue string) (found []messages.Message, numbers []int) {
	t.Helper()
	numbers = []int{}
	pages := messages.List(client, queue, messages.ListOpts{Limit: 2})
	must(t, pages.EachPage(func(page pagination.Page) (bool, error) {
		some, err := messages.ExtractMessages(page)
		for _, message := range some {
			numbers = append(numbers, int(message.Body["number"].(float64)))
		}
		found = append(found, some...)
		return true, err
	}))
	return found, numbers
}

func TestListAndGet(t *testing.T) {
	client := filled(t, "go-list", 5)
	found, numbers := listed(t, client, "go-list")
	same(t, numbers, []int{0, 1, 2, 3, 4})
	one, err := messages.Get(client, "go-list", found[1].ID).Extract()
	must(t, err)
	same(t, one.Body["number"], 1.0)
	ids := messages.GetMessagesOpts{IDs: []string{found[0].ID, found[4].ID}}
	several, err := messages.GetMessages(client, "go-list", ids).Extract()
	must(t, err)
	same(t, len(several), 2)
	stats, err := queues.GetStats(client, "go-list").Extract()
	must(t, err)
	same(t, stats.Total, 5)
}

func TestDeleteAndPop(t *testing.T) {
	client := filled(t, "go-delete", 5)
	found, _ := listed(t, client, "go-delete")
	must(t, messages.Delete(client, "go-delete", found[0].ID, messages.DeleteOpts{}).ExtractErr())
	ids := messages.DeleteMessagesOpts{IDs: []string{found[1].ID, found[2].ID}}
	must(t, messages.DeleteMessages(client, "go-delete", ids).ExtractErr())
	_, numbers := listed(t, client, "go-delete")
	same(t, numbers, []int{3, 4})
	popped, err := messages.PopMessages(client, "go-delete", messages.PopMessagesOpts{Pop: 1}).Extract()
	must(t, err)
	same(t, popped[0].Body["number"], 3.0)
	_, numbers = listed(t, client, "go-delete")
	same(t, numbers, []int{4})
}

func TestClaim(t *testing.T) {
	client := filled(t, "go-claim", 3)
	opts := claims.CreateOpts{TTL: 300, Grace: 100, Limit: 2}
	claimed, err := claims.Create(client, "go-claim", opts).Extract()
	must(t, err)
	same(t, len(claimed), 2)
	parts := strings.Split(claimed[0].Href, "?claim_id=")
	id := parts[1]
	_, numbers := listed(t, client, "go-claim")
	same(t, numbers, []int{2})
	must(t, claims.Update(client, "go-claim", id, claims.UpdateOpts{TTL: 600, Grace: 80}).ExtractErr())
	got, err := claims.Get(client, "go-claim", id).Extract()
	must(t, err)
	same(t, []int{got.TTL, len(got.Messages)}, []int{600, 2})
	message := parts[0][strings.LastIndex(parts[0], "/")+1:]
	must(t, messages.Delete(client, "go-claim", message, messages.DeleteOpts{ClaimID: id}).ExtractErr())
	must(t, claims.Delete(client, "go-claim", id).ExtractErr())
	_, numbers = listed(t, client, "go-claim")
	same(t, numbers, []int{1, 2})
}
