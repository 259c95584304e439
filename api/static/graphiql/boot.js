// Starts GraphiQL on the page that loads it. A file of its own: the page allows no inline script.
"use strict";

(function () {
  const endpoint = window.location.origin + window.location.pathname;
  const firstQuery = document.getElementById("first-query").content.textContent;

  const fetcher = GraphiQL.createFetcher({
    url: endpoint,
    // http becomes ws, https becomes wss; subscriptions speak graphql-transport-ws.
    subscriptionUrl: endpoint.replace(/^http/, "ws"),
  });

  const page = React.createElement(
    GraphiQL,
    {
      fetcher: fetcher,
      defaultQuery: firstQuery,
      isHeadersEditorEnabled: true,
      defaultEditorToolsVisibility: false,
      inputValueDeprecation: true,
      schemaDescription: true,
    },
    React.createElement(GraphiQL.Logo, null, "Offerpath"),
  );
  ReactDOM.createRoot(document.getElementById("graphiql")).render(page);
})();
