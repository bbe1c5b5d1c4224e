/** SentencePiece's compiled character map of some keys, in base64: a plain double array, each node with 256 places of its own (up to 8,000 nodes). */
export function buildCharsmap(map) {
  const nodes = [{ children: new Map() }], replacements = [];
  let at = 0;
  for (const [key, to] of map) {
    let node = nodes[0];
    for (const b of Buffer.from(key)) {
      if (!node.children.has(b)) { const child = { children: new Map() }; nodes.push(child); node.children.set(b, child); }
      node = node.children.get(b);
    }
    const text = Buffer.concat([Buffer.from(to), Buffer.from([0])]);
    node.value = at; at += text.length; replacements.push(text);
  }
  nodes.forEach((n, i) => { n.base = (i + 1) * 256; });
  const units = new Uint32Array((nodes.length + 1) * 256);
  const unit = (position, node, label) => {
    const leaf = node.value !== undefined;
    units[position] = ((position ^ node.base) << 10 | (leaf ? 256 : 0) | label) >>> 0;
    if (leaf) units[node.base] = (0x80000000 | node.value) >>> 0;
  };
  unit(0, nodes[0], 0);
  for (const node of nodes) for (const [b, child] of node.children) unit(node.base ^ b, child, b);
  const head = Buffer.alloc(4); head.writeUInt32LE(units.length * 4, 0);
  return Buffer.concat([head, Buffer.from(units.buffer), ...replacements]).toString('base64');
}
