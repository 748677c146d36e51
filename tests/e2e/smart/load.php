<?php
// As load.js, of php-redis: php load.php <port of a node> <name>. It has no pipelines in a cluster, and
// doesn't try again what gets TRYAGAIN, as commands with several keys may while a slot moves.
[, $port, $name] = $argv;
stream_set_blocking(STDIN, false);
$cluster = new RedisCluster(null, ["127.0.0.1:$port"], 5, 5);
$written = [];
$wrong = [];
$errors = [];

function check($cluster, $written, $key, &$wrong)
{
    $value = $cluster->get($key);
    if ($value !== $written[$key]) {
        $wrong[] = "$key: " . var_export($value, true);
    }
}

for ($number = 0; ; ++$number) {
    fread(STDIN, 1);
    if (feof(STDIN)) {
        break;
    }
    $key = "$name:$number";
    $pair = ["{{$key}}a" => "a$number", "{{$key}}b" => "b$number"];
    try {
        if (!$cluster->set($key, (string)$number)) {
            throw new RedisClusterException((string)$cluster->getLastError());
        }
        $written[$key] = (string)$number;
        foreach ($pair as $both => $value) {
            if (!$cluster->set($both, $value)) {
                throw new RedisClusterException((string)$cluster->getLastError());
            }
            $written[$both] = $value;
        }
        $earlier = "$name:" . intdiv($number, 2);
        if (isset($written[$earlier])) {
            check($cluster, $written, $earlier, $wrong);
        }
    } catch (RedisException | RedisClusterException $error) {
        $errors[] = [(int)(microtime(true) * 1000), get_class($error) . ' ' . $error->getMessage()];
    }
    usleep(10000);
}
foreach (array_keys($written) as $key) {
    try {
        check($cluster, $written, $key, $wrong);
    } catch (RedisException | RedisClusterException $error) {
        $errors[] = [(int)(microtime(true) * 1000), "$key: " . $error->getMessage()];
    }
}
echo json_encode(['written' => count($written), 'wrong' => $wrong, 'errors' => $errors]), "\n";
