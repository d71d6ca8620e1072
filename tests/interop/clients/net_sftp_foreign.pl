# Net::SFTP::Foreign, which runs `ssh`. Arguments: port, login, key file, what to do, with what.
use strict;
use warnings;
use Net::SFTP::Foreign;

my ($port, $login, $key, $act, $one, $other) = @ARGV;
my @options = map { "-o$_" } 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null',
    'LogLevel=ERROR', 'IdentitiesOnly=yes';
my $sftp = Net::SFTP::Foreign->new(
    "127.0.0.1", port => $port, user => $login, key_path => $key, more => \@options, autodie => 1,
);

# Times and modes are not ours to set.
my @plain = (copy_time => 0, copy_perm => 0);
if    ($act eq 'list')   { print "$_->{filename}\n" for @{ $sftp->ls($one) } }
elsif ($act eq 'stat')   { print $sftp->stat($one)->size, "\n" }
elsif ($act eq 'get')    { $sftp->get($one, $other) }
elsif ($act eq 'folder') { $sftp->rget($one, "$other/all") }
elsif ($act eq 'resume') { $sftp->get($one, $other, resume => 1) }
elsif ($act eq 'put')    { $sftp->put($one, $other, @plain) }
elsif ($act eq 'reput')  { $sftp->put($one, $other, @plain, resume => 1) }
elsif ($act eq 'rename') { $sftp->rename($one, $other) }
elsif ($act eq 'replace') { $sftp->atomic_rename($one, $other) }
elsif ($act eq 'remove') { $sftp->remove($one) }
elsif ($act eq 'fetch-remove') { $sftp->get($one, 'fetched.xml'); $sftp->remove($one) }
elsif ($act eq 'fetch-rename') { $sftp->get($one, 'fetched.xml'); $sftp->rename($one, $other) }
$sftp->disconnect;
