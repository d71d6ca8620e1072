<?php
// phpseclib 3. Arguments: port, login, key file, what to do, with what.
require 'phpseclib3/autoload.php';

use phpseclib3\Crypt\PublicKeyLoader;
use phpseclib3\Net\SFTP;

[, $port, $login, $key, $act, $one, $other] = $argv;
$sftp = new SFTP('127.0.0.1', (int) $port);
if (!$sftp->login($login, PublicKeyLoader::load(file_get_contents($key)))) {
    fwrite(STDERR, "not logged in\n");
    exit(1);
}
$fetch = fn ($from, $to) => $sftp->get($from, $to) !== false;
$files = fn () => array_diff($sftp->nlist($one) ?: [], ['.', '..']);
$done = match ($act) {
    'list' => print(implode("\n", $files()) . "\n"),
    'stat' => print($sftp->filesize($one) . "\n"),
    'get' => $fetch($one, $other),
    'folder' => !in_array(false, array_map(fn ($name) => $fetch("$one/$name", "$other/$name"), $files())),
    // It goes on in the file at hand, from where that ends.
    'resume' => $sftp->get($one, fopen($other, 'ab'), filesize($other)) !== false,
    'put' => $sftp->put($other, $one, SFTP::SOURCE_LOCAL_FILE),
    // Without the last argument it puts the whole file behind what is there.
    'reput' => $sftp->put($other, $one, SFTP::SOURCE_LOCAL_FILE | SFTP::RESUME, -1, $sftp->filesize($other)),
    'rename', 'replace' => $sftp->rename($one, $other),
    'remove' => $sftp->delete($one, false),
    'fetch-remove' => $fetch($one, 'fetched.xml') && $sftp->delete($one, false),
    'fetch-rename' => $fetch($one, 'fetched.xml') && $sftp->rename($one, $other),
};
if (!$done) {
    fwrite(STDERR, $sftp->getLastSFTPError() . "\n");
}
$sftp->disconnect();
exit($done ? 0 : 1);
