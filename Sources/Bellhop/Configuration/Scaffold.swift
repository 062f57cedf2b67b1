/// The files that `bellhop init` writes; a test checks that they are without fault.
package enum Scaffold {
    package static let configuration = """
        # Bellhop: https://developer.relaypro.com/docs/relay-events-api → chat, webhooks, files.
        # 'bellhop check' says what is wrong here; 'bellhop reference' lists every option.

        data_dir: ./data                          # what is owed is kept here until it is delivered

        sources:
          relay:
            kind: relay_pro
            subscriber_id: ${RELAY_SUBSCRIBER_ID}   # Relay Dash: Help > Server Details > Subscriber
            api_key: ${RELAY_API_KEY}

        sinks:
          ops:
            kind: slack
            url: ${SLACK_WEBHOOK_URL}
          audit:
            kind: file
            path: ./audit.ndjson

        rules: [rules/]

        """

    package static let rules = """
        rules:
          - name: acknowledged
            match:
              content.type: acknowledged
            message: "✅ {{content.device}} acknowledged *{{task.name}}*"
            send: [ops, audit]

          - name: nobody-came
            match:
              content.type: timed_out
            message: "⏰ Nobody acknowledged *{{task.name}}*"
            send: [ops, audit]

          - name: the-rest
            otherwise: true                         # what no other rule matched
            send: [audit]

        tests:                                      # bellhop test
          - name: bob answers a fire alarm
            given:
              - { content: { type: acknowledged, device: bob }, task: { id: t1, name: fire-alarm } }
            expect:
              - { rule: acknowledged, sink: ops, message: "✅ bob acknowledged *fire-alarm*" }
              - { rule: acknowledged, sink: audit }
          - name: nobody answers
            given:
              - { content: { type: timed_out }, task: { id: t1, name: fire-alarm } }
            expect:
              - { rule: nobody-came, sink: ops }
              - { rule: nobody-came, sink: audit }
          - name: everything else is only kept
            given:
              - { content: { type: end }, task: { id: t1, name: fire-alarm } }
            expect:
              - { rule: the-rest, sink: audit }

        """
}
