# A model's answer in pieces reaches the client piece by piece, by the example of Databricks.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Client;
use Test::Mesh::Example;
use Test::Mesh::File;
use Test::Mesh::Upstream qw(read_head);
use Test::Mesh::Wait;

my $prefix = Test::Mesh::Example::new_prefix();
my $seen = "$prefix/seen";

# Sends the second piece once the client has the first.
my $model = Test::Mesh::Upstream->start(processes => 1, answer => sub ($socket) {
    my ($head) = read_head($socket) or return;
    print {$socket} "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: first\n\n";
    wait_until('the client has the first piece', sub { -e $seen });
    print {$socket} "data: second\n\n";
});
my $example = Test::Mesh::Example->start(
    prefix => $prefix, conf => 'databricks.conf', upstream => '10.20.0.4:443', certificate => "$prefix/tls/upstream",
    edit => sub ($text) {
        my $port = $model->port;
        $$text =~ s/proxy_buffering off;\n\s*proxy_pass \Khttps:\/\/workspace/http:\/\/127.0.0.1:$port/ or die;
    });

my ($port) = $example->host =~ /:(\d+)/;
my $client = Test::Mesh::Client->connect(port => $port, tls => { ca => "$prefix/certificates/ca.pem" });
my $body = '{"inputs":[1]}';
$client->send(join "\r\n", 'POST /serving-endpoints/churn/invocations HTTP/1.1', 'Host: localhost', 'Connection: close',
    'Authorization: Bearer ' . $example->token(subject => 'shop'), 'Content-Type: application/json',
    'Content-Length: ' . length $body, '', $body);
like($client->take(qr/\A.*?first\n\n/s) // '', qr/\AHTTP\/1\.1 200/, 'the first piece is there before the second is made');
spew($seen, '');
like($client->rest, qr/second/, '... and then the second');
$client->close;
$example->stop;
$model->stop;

done_testing;
