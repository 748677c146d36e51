# As load.js, of ruby-redis: ruby load.rb <port of a node> <name>. Its pipelines say ASKING once, for their
# first command, so those of a slot that moves fail until it has moved. Where a node names one that the
# next hasn't heard of, it raises what isn't among its errors.
require "json"
require "redis"

TRIES = 40
PAUSE_S = 0.05
FAILURES = [Redis::BaseError, Redis::Cluster::Node::ReloadNeeded].freeze

port, name = ARGV
stopping = false
Thread.new { STDIN.read; stopping = true }
cluster = Redis.new(cluster: ["redis://127.0.0.1:#{port}"])
written = {}
wrong = []
errors = []
check = lambda do |key|
  value = cluster.get(key)
  wrong << "#{key}: #{value}" if value != written[key]
end

set_all = lambda do |pairs|
  tries = 0
  begin
    cluster.pipelined { |pipe| pairs.each { |key, value| pipe.set(key, value) } }
  rescue Redis::CommandError => e
    raise if !e.message.start_with?("MOVED", "ASK") || (tries += 1) == TRIES

    sleep PAUSE_S
    retry
  end
end

number = 0
until stopping
  key = "#{name}:#{number}"
  pair = { "{#{key}}a" => "a#{number}", "{#{key}}b" => "b#{number}" }
  begin
    cluster.set(key, number)
    written[key] = number.to_s
    set_all.call(pair)
    written.merge!(pair)
    earlier = "#{name}:#{number / 2}"
    check.call(earlier) if written.key?(earlier)
  rescue *FAILURES => e
    errors << [(Time.now.to_f * 1000).to_i, "#{e.class} #{e.message}"]
  end
  number += 1
  sleep 0.01
end
written.each_key do |key|
  check.call(key)
rescue *FAILURES => e
  errors << [(Time.now.to_f * 1000).to_i, "#{key}: #{e.class} #{e.message}"]
end
puts JSON.generate({ written: written.size, wrong: wrong, errors: errors })
