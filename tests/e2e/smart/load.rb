# As load.js, of ruby-redis: ruby load.rb <port of a node> <name>
require "json"
require "redis"

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

number = 0
until stopping
  key = "#{name}:#{number}"
  pair = { "{#{key}}a" => "a#{number}", "{#{key}}b" => "b#{number}" }
  begin
    cluster.set(key, number)
    written[key] = number.to_s
    cluster.pipelined { |pipe| pair.each { |both, value| pipe.set(both, value) } }
    written.merge!(pair)
    earlier = "#{name}:#{number / 2}"
    check.call(earlier) if written.key?(earlier)
  rescue Redis::BaseError => e
    errors << [(Time.now.to_f * 1000).to_i, "#{e.class} #{e.message}"]
  end
  number += 1
  sleep 0.01
end
written.each_key do |key|
  check.call(key)
rescue Redis::BaseError => e
  errors << [(Time.now.to_f * 1000).to_i, "#{key}: #{e.class} #{e.message}"]
end
puts JSON.generate({ written: written.size, wrong: wrong, errors: errors })
