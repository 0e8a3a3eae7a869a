# Clients of Kafka REST in front of a broker: version 3 and the consumers of version 2 by kafka-mcp, Strimzi's and
# Confluent's by kafka-bridge-client.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Gateway;

my $gateway = Test::Mesh::Gateway->start('kafka_rest', server => <<'CONF');
    # An instance is used at the address that its answer tells.
    proxy_set_header Accept-Encoding identity;
    sub_filter_types application/json application/vnd.kafka.v2+json;
    sub_filter_once off;
    sub_filter "https://%%UPSTREAM%%" "https://$http_host";
CONF
my $v3 = $gateway->client('kafka_mcp');
my $bridge = $gateway->client('kafka_bridge');

# What the client raises for a service that may not do something.
sub denied ($service, $what) {
    return (class => 'builtins.Exception',
        text => qr/\AAPI error: 403 - \{'error_code': 40301, 'message': "service '$service' may not $what /);
}

subtest 'version 3' => sub {
    $gateway->works($v3, 'shop', ['list_clusters'], 'a list of the clusters');
    $gateway->works($v3, 'shop', ['produce_record', 'orders.new', { a => 1 }], 'a record for a topic of its role',
        with => { key => 'k', cluster_id => 'lkc-1' });
    $gateway->works($v3, 'shop', ['produce_record', 'orders.new', "caf\x{e9}"], 'a record, by the first cluster');
    $gateway->works($v3, 'shop', ['get_topic', 'orders.done', 'lkc-1'], 'a topic of its role is described');
    $gateway->works($v3, 'operator', ['list_topic_configs', 'orders.new', 'lkc-1'], 'the settings of a topic');
    $gateway->works($v3, 'operator', ['update_topic_configs', 'orders.new', { 'retention.ms' => '1' }, 'lkc-1'],
        'the settings of a topic are changed by a verb');
    $gateway->works($v3, 'operator', ['list_topics', 'lkc-1'], 'a list of topics, which a denial of some does not refuse');
    $gateway->works($v3, 'operator', ['get_consumer_group', 'ledger', 'lkc-1'], 'a group is described');

    $gateway->refuses($v3, 'shop', ['produce_record', 'audit', 1], 'a record for a topic of no role of it',
        denied('shop', q(produce the topic 'audit')),
        with => { cluster_id => 'lkc-1' });
    $gateway->refuses($v3, 'shop', ['produce_record', 'pii.people', 1], '... which it learns after it may ask for clusters',
        denied('shop', q(produce the topic 'pii.people')), passed => 1);
    $gateway->refuses($v3, 'shop', ['update_topic_config', 'orders.new', 'retention.ms', '1', 'lkc-1'],
        'who produces does not configure', denied('shop', q(alter the topic 'orders.new')));
    $gateway->refuses($v3, 'shop', ['create_topic', 'orders.more'], 'nor create',
        denied('shop', q(create the topic 'orders.more')), with => { cluster_id => 'lkc-1' });
    $gateway->refuses($v3, 'operator', ['produce_record', 'pii.people', 1], 'a denial wins over all topics',
        denied('operator', q(produce the topic 'pii.people')),
        with => { cluster_id => 'lkc-1' });
    $gateway->refuses($v3, 'operator', ['list_acls'], 'all actions are none on access lists',
        denied('operator', q(describe the acl '\*')),
        with => { cluster_id => 'lkc-1' });
    $gateway->refuses($v3, 'operator', ['delete_acls', 'TOPIC', 'orders.new'], '... and do not delete any',
        denied('operator', q(alter the acl '\*')),
        with => { cluster_id => 'lkc-1' });
};

subtest 'consumers of version 2' => sub {
    $gateway->works($v3, 'ledger', ['create_consumer', 'ledger', 'c1'], 'an instance is made',
        before => sub { delete_instance('ledger', 'c1') });
    $gateway->works($v3, 'ledger', ['subscribe_consumer', 'ledger', 'c1', ['orders.new', 'orders.done']], '... subscribes');
    $gateway->works($v3, 'ledger', ['delete_consumer', 'ledger', 'c1'], '... and is deleted',
        before => sub { make_instance('ledger', 'c1') });
    make_instance('ledger', 'c1');
    make_instance('other', 'c1');
    $gateway->refuses($v3, 'ledger', ['subscribe_consumer', 'ledger', 'c1', ['orders.new', 'audit']],
        'one topic of no role refuses the subscription', denied('ledger', q(consume the topic 'audit')));
    $gateway->refuses($v3, 'ledger', ['consume_records', 'other', 'c1'], 'records of another group',
        denied('ledger', q(consume the group 'other')));
    $gateway->refuses($v3, 'shop', ['create_consumer', 'ledger', 'c2'], 'who produces does not consume',
        denied('shop', q(consume the group 'ledger')));
};

subtest 'kafka-bridge-client' => sub {
    my $produce = sub { past($bridge, 'send', 'orders.done', 'v') };
    $gateway->works($bridge, 'shop', ['send', 'orders.done', "v \x{e9}"], 'a text');
    $gateway->works($bridge, 'shop', ['send', 'orders.done', 'v', JSON::PP::true()], 'bytes');
    # What is there by now.
    past($bridge, 'consume', 'ledger', 'orders.done');
    for my $proxy ('strimzi', 'confluent') {
        $gateway->works($bridge, 'ledger', ['consume', 'ledger', 'orders.done'], "a consumer from end to end ($proxy)",
            with => { proxy => $proxy }, before => $produce);
    }
    $gateway->refuses($bridge, 'shop', ['send', 'pii.people', 'v'], 'a topic of no role', log => qr/status=403 .*shop/,
        class => 'kafka_bridge_client.exceptions.KafkaBridgeResourceException');
    $gateway->refuses($bridge, 'ledger', ['consume', 'ledger', 'orders.done', 'audit'], 'topics of which one is of no role',
        class => 'kafka_bridge_client.exceptions.KafkaBridgeError', text => qr/status: 403, .*ledger/, passed => 2,
        then => ['DELETE /consumers/ledger/instances/c1'], before => $produce);
    $gateway->refuses($bridge, 'shop', ['consume', 'ledger', 'orders.done'], 'a group of no role',
        class => 'kafka_bridge_client.exceptions.KafkaBridgeError', text => qr/status: 403, .*shop/,
        before => $produce);
};

subtest 'what is sent past the clients' => sub {
    my @json = ('Content-Type: application/vnd.kafka.json.v2+json');
    my %record = (headers => \@json, body => '{"records":[{"value":1}]}');
    $gateway->passes('shop', 'a topic, as it is', POST => '/topics/orders.new', %record);
    $gateway->passes('shop', 'a final slash', POST => '/topics/orders.new/', %record);
    $gateway->passes('shop', 'an escaped letter', POST => '/topics/%6Frders.new', %record);

    my @other = (
        ['another case', '403 policy_denied', POST => '/topics/Orders.new'],
        ['another case of the path', '403 operation_unknown', POST => '/Topics/orders.new'],
        ['an escaped slash', '400 \w+', POST => '/topics/orders.new%2F..%2Faudit'],
        ['an escaped dot segment', '400 \w+', POST => '/topics/orders.new/%2e%2e/audit'],
        ['a dot segment', '400 \w+', POST => '/topics/orders.new/../audit'],
        ['a double slash', '40[03] \w+', POST => '/topics//orders.new'],
        ['a parameter of the path', '400 \w+', POST => '/topics/orders.new;x=1'],
        ['a name behind a NUL', '400', POST => '/topics/audit%00orders.new'],
        ['a backslash', '400 \w+', POST => '/topics/orders.new%5C..%5Caudit'],
        ['a double escape', '400 \w+', POST => '/topics/%256Frders.new'],
        ['a segment more', '403 operation_unknown', POST => '/topics/orders.new/audit'],
        ['all topics of version 3', '403 policy_denied', GET => '/v3/clusters/lkc-1/topics/-/configs'],
        ['a topic that is called all', '40[03] \w+', POST => '/v3/clusters/lkc-1/topics/-/records'],
        ['version 3 with a prefix', '403 policy_denied', POST => '/kafka/v3/clusters/lkc-1/topics/audit/records'],
        ['a verb', '403 policy_denied', POST => '/v3/clusters/lkc-1/topics/audit/records:batch'],
        ['a verb that is unknown', '403 operation_unknown', POST => '/v3/clusters/lkc-1/topics/orders.new/records:delete'],
        ['a batch of access lists', '403 policy_denied', POST => '/v3/clusters/lkc-1/acls:batch'],
        ['another version', '403 operation_unknown', POST => '/v4/clusters/lkc-1/topics/orders.new/records'],
        ['another method', '403 \w+', PATCH => '/topics/orders.new'],
    );
    $gateway->stops('shop', $_->[1], $_->[0], @$_[2, 3], %record) for @other;
    $gateway->stops('shop', '403 operation_refused', 'version 1 by its type', POST => '/topics/orders.new', %record,
        headers => ['Content-Type: application/vnd.kafka.v1+json']);

    my $subscription = '/consumers/ledger/instances/c1/subscription';
    my %bodies = (
        'a topic twice' => '{"topics":["orders.new"],"topics":["audit"]}',
        'a topic twice, once escaped' => '{"topics":["orders.new"],"\u0074opics":["audit"]}',
        'the member in another spelling' => '{"topics":["orders.new"],"Topics":["audit"]}',
        'text behind the document' => '{"topics":["orders.new"]}{"topics":["audit"]}',
        'a text that is no list' => '{"topics":"audit"}',
        'a broken document' => '{"topics":["orders.new"',
        'half a surrogate' => '{"topics":["\ud800"]}',
    );
    $gateway->stops('ledger', '400 \w+', $_, POST => $subscription, headers => \@json,
        body => $bodies{$_}) for sort keys %bodies;
    my $audit = '{"topics":["audit"]}';
    $gateway->stops('ledger', '403 policy_denied', 'a name in escapes', POST => $subscription, headers => \@json,
        body => '{"topics":["\u0061udit"]}');
    $gateway->stops('ledger', '403 policy_denied', 'a pattern, which may be all', POST => $subscription, headers => \@json,
        body => '{"topic_pattern":"orders.*"}');
    $gateway->stops('ledger', '403 policy_denied', 'topics of an assignment',
        POST => '/consumers/ledger/instances/c1/assignments',
        headers => \@json, body => '{"partitions":[{"topic":"orders.new","partition":0},{"topic":"audit","partition":0}]}');
    for my $type ('application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=b') {
        $gateway->stops('ledger', '415 \w+', "a body of the type $type", POST => $subscription,
            headers => ["Content-Type: $type"], body => $audit);
    }
    $gateway->stops('ledger', '415 \w+', 'a body of no type', POST => $subscription, body => $audit);
    $gateway->stops('ledger', '415 \w+', 'an encoded body', POST => $subscription, headers => [@json, 'Content-Encoding: gzip'],
        body => $audit);
    $gateway->stops('ledger', '40[03] \w+', 'a GET with a body that names topics',
        GET => '/consumers/ledger/instances/c1/offsets',
        headers => \@json, body => '{"partitions":[{"topic":"audit","partition":0}]}');
    my $overrides = join '', map { "$_: DELETE\r\n" } qw(X-HTTP-Method-Override X-HTTP-Method X-Method-Override);
    my $response = $gateway->send_it('shop', GET => '/topics/orders.new', headers => [split /\r\n/, $overrides]);
    my ($arrived) = $gateway->arrived;
    is_deeply [$response->{status}, grep { /method(?!\z)|override/i } map { $_->[0] } $arrived->{headers}->@*], [200],
        'what turns one method into another is removed';
};

subtest 'names that are odd' => sub {
    my %odd = odd_names('orders.new', 'audit');
    for my $what (sort keys %odd) {
        $gateway->bears($v3, 'shop', ['produce_record', $odd{$what}, 1, undef, 'JSON', undef, undef, undef, 'lkc-1'],
            "a topic: $what");
        $gateway->bears($bridge, 'shop', ['send', $odd{$what}, 'v'], "... by the bridge's client");
        $gateway->bears($v3, 'ledger', ['subscribe_consumer', 'ledger', 'c9', [$odd{$what}]], "... in a body: $what");
        $gateway->bears($v3, 'ledger', ['create_consumer', $odd{$what} =~ s/orders\.new/ledger/r, 'c9'], "a group: $what");
    }
};

$gateway->stop;
done_testing;

# An instance of a consumer at the platform.
sub make_instance ($group, $name) {
    delete_instance($group, $name);
    return past($v3, 'create_consumer', $group, $name);
}

sub delete_instance ($group, $name) {
    return past($v3, 'delete_consumer', $group, $name);
}

# A call past the gateway.
sub past ($client, $call, @arguments) {
    return $client->ask({ call => $call, args => \@arguments, url => $gateway->upstream_url, token => 'x' });
}
