# frozen_string_literal: true

# fog's Cloud Queues, a client of v1 in Ruby: every request that the library has, through its models where they have it.
#
# Takes the file for the results: {test: [outcome, why]}. $RACKSPACE_AUTH_URL and $MESSAGING_URL say where to go, $OS_USERNAME
# and $OS_PASSWORD as whom.

require 'json'
require 'fog/rackspace'

QUEUES = Fog::Rackspace::Queues
# What it says of regions, which there are none of.
Fog::Logger[:deprecation] = nil

def service
  QUEUES.new(
    rackspace_username: ENV.fetch('OS_USERNAME'),
    rackspace_api_key: ENV.fetch('OS_PASSWORD'),
    rackspace_auth_url: ENV.fetch('RACKSPACE_AUTH_URL'),
    rackspace_queues_url: "#{ENV.fetch('MESSAGING_URL')}/v1",
    rackspace_region: :none
  )
end

def equal(wanted, found)
  raise "#{wanted.inspect} wanted, #{found.inspect} found" unless wanted == found
end

def refused(error)
  yield
rescue error
  nil
else
  raise "no #{error}"
end

# A queue of that name for the time of the block.
def with_queue(name)
  cloud = service
  queue = cloud.queues.create(name: name)
  yield cloud, queue
ensure
  queue&.destroy
end

TESTS = {
  'queues are made, found, listed and deleted' => lambda do
    with_queue('fog-queues') do |cloud, queue|
      equal(201, cloud.create_queue('fog-other').status)
      equal(%w[fog-other fog-queues], cloud.queues.all.map(&:name) & %w[fog-other fog-queues])
      equal('fog-queues', cloud.queues.get('fog-queues').name)
      cloud.delete_queue('fog-other')
      equal(nil, cloud.queues.get('fog-other'))
      equal({ 'claimed' => 0, 'free' => 0, 'total' => 0 }, queue.stats)
    end
  end,
  'an empty list of queues' => lambda do
    cloud = service
    cloud.queues.all.each(&:destroy)
    equal(204, cloud.list_queues.status)
    equal([], cloud.queues.all.to_a)
  end,
  'messages are posted, listed, read and deleted' => lambda do
    with_queue('fog-messages') do |cloud, queue|
      equal([], queue.messages.all.to_a)
      message = queue.enqueue({ 'n' => 1 }, 300)
      queue.enqueue('two', 400)
      listed = queue.messages.all
      equal([{ 'n' => 1 }, 'two'], listed.map(&:body))
      equal(message.id, listed.first.id)
      read = queue.messages.get(message.id)
      equal([300, { 'n' => 1 }], [read.ttl, read.body])
      stats = queue.stats
      equal([2, 2, message.href], [stats['free'], stats['total'], stats['oldest']['href']])
      equal(204, cloud.list_messages(cloud.client_id, queue.name).status)
      page = cloud.list_messages(cloud.client_id, queue.name, echo: 'true', limit: '1').body
      marker = page['links'][0]['href'][/marker=([^&]+)/, 1]
      page = cloud.list_messages(cloud.client_id, queue.name, echo: 'true', limit: '1', marker: marker).body
      equal(['two'], page['messages'].map { |found| found['body'] })
      listed.each(&:destroy)
      equal(nil, queue.messages.get(message.id))
      refused(QUEUES::NotFound) { cloud.create_message(cloud.client_id, 'fog-none', 'x', 300) }
      refused(QUEUES::BadRequest) { cloud.create_message(cloud.client_id, queue.name, 'x', 1) }
    end
  end,
  'claims hold messages, are renewed and released' => lambda do
    with_queue('fog-claims') do |cloud, queue|
      equal(false, queue.claims.create(ttl: 300, grace: 60))
      2.times { |n| queue.enqueue(n, 300) }
      claim = queue.claims.create(ttl: 300, grace: 60, limit: 1)
      equal([0], claim.messages.map(&:body))
      equal([1], queue.messages.all.map(&:body))
      refused(QUEUES::ServiceError) { cloud.delete_message(queue.name, claim.messages[0].id) }
      read = cloud.get_claim(queue.name, claim.id).body
      equal([300, 1], [read['ttl'], read['messages'].length])
      claim.ttl = 400
      claim.save
      equal(400, cloud.get_claim(queue.name, claim.id).body['ttl'])
      claim.messages.each(&:destroy)
      equal(1, queue.stats['total'])
      other = queue.claims.create(ttl: 300, grace: 60)
      other.destroy
      refused(QUEUES::NotFound) { cloud.get_claim(queue.name, other.id) }
      equal([1], queue.messages.all.map(&:body))
    end
  end,
  'dequeue' => lambda do
    with_queue('fog-dequeue') do |_, queue|
      queue.enqueue('work', 300)
      bodies = []
      equal(true, queue.dequeue(300, 60) { |message| bodies << message.body })
      equal(false, queue.dequeue(300, 60))
      equal(['work'], bodies)
      equal(0, queue.stats['total'])
    end
  end
}.freeze

results = TESTS.to_h do |name, test|
  test.call
  ["fog: #{name}", ['pass', '']]
rescue StandardError => e
  ["fog: #{name}", ['fail', "#{e.class}: #{e.message} #{e.backtrace.first(3)}"[0, 2000]]]
end
File.write(ARGV.fetch(0), JSON.generate(results))
